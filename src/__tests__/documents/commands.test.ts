import { readFileSync } from 'node:fs';
import path from 'node:path';
import catalogPlugin from '@backstage/plugin-catalog-backend';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import {
  blocksAfter,
  codeBlocks,
  codeIn,
  documents,
  proseOf,
  readDocument,
} from '../__testUtils__/documents';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { rawRequest } from '../__testUtils__/rawRequest';
import {
  folderWith,
  runCli,
  runCliIn,
  writeInto,
} from '../__testUtils__/runCli';
import { describeWithCurl, runShell } from '../__testUtils__/runShell';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

const ADDRESS = 'https://backstage.example.com';
const API_GATE = 'yarn --cwd packages/backend api-gate ';
const PRODUCTION = 'app-config.production.yaml';

/** Parts of commands that no test can run here, and why. */
const NOT_RUN: Record<string, string> = {
  'npm start': 'integration/browsers/chromium/run runs it',
  'npm test': 'runs this test',
  'yarn --cwd packages/backend add': '.ci/install/run runs it',
  'yarn --cwd packages/backend up': '.ci/install/run runs it',
  'yarn --cwd packages/backend remove': '.ci/install/run runs it',
  ...Object.fromEntries(
    [
      'mkdir api-gate-dynamic',
      'npm install @red-hat-developer-hub/cli',
      'npm pack backstage-plugin-auth-backend-module-api-gate',
      'tar -xzf backstage-plugin-auth-backend-module-api-gate',
      'YARN_NODE_LINKER=node-modules npx rhdh-cli',
      'cd dist-dynamic',
    ].map(start => [start, 'integration/packages/dynamic/run runs it']),
  ),
  'npx --package=backstage-plugin-auth-backend-module-api-gate api-gate audit':
    'sends two requests a second: src/cli/audit.test.ts runs it',
  [`curl -s --fail-with-body -d '{ "userEntityRef": "user:default/jane", "until"`]:
    'its date will have passed: src/__tests__/backend/pages/signOut.test.ts runs it with another one',
  [`curl -s -H "Authorization: Bearer $TOKEN" ${ADDRESS}/api/auth/api-gate/v1/policy`]:
    'needs a refusal: src/__tests__/backend/recentRefusals.test.ts runs it',
  'kubectl set env':
    'needs a cluster: src/__tests__/backend/pages/switchOff.test.ts runs it with another kubectl',
  'api-gate audit https:':
    'needs the gate: src/__tests__/documents/workflow.test.ts runs it',
  'cat *.log':
    'needs the logs of a report-only backend: integration/processes/replicas/checkReportOnly.ts runs it',
};

/** Returns the commands of a block, each on one line, and the status that a comment behind each expects. */
function commandsOf(block: string): { command: string; status?: string }[] {
  return block
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map(line => line.match(/^(.*?)(?:\s+# (.*))?$/)!)
    .filter(([, command]) => command !== '')
    .map(([, command, comment]) => ({
      command,
      ...(/^\d{3}$/.test(comment) && { status: comment }),
    }));
}

interface Command {
  file: string;
  command: string;
  status?: string;
}

const commands: Command[] = [
  ...codeBlocks('sh').flatMap(({ file, text }) =>
    commandsOf(text).map(command => ({ file, ...command })),
  ),
  // Steps of a workflow, and commands within a sentence.
  ...codeBlocks('yaml').flatMap(({ file, text }) =>
    [...text.matchAll(/ run: (.*)$/gm)].map(([, command]) => ({
      file,
      command,
    })),
  ),
  ...documents
    .filter(({ file }) => file !== 'CHANGELOG.md')
    .flatMap(document =>
      codeIn(proseOf(document))
        .filter(code => code.startsWith(API_GATE))
        .map(command => ({ file: document.file, command })),
    ),
].filter(({ command }) => command !== 'yarn install --immutable');

/** Returns the arguments of a command as a shell splits them. */
const argsIn = (command: string) =>
  command.match(/'[^']*'|\S+/g)!.map(arg => arg.replace(/^'|'$/g, ''));

const reasonNotToRun = ({ command }: Command) =>
  Object.keys(NOT_RUN).find(part => command.includes(part));
const isCli = ({ command }: Command) => command.startsWith(API_GATE);

const run = commands.filter(command => !reasonNotToRun(command));
const named = (all: Command[]) =>
  all.map(command => [`${command.file}: ${command.command}`, command] as const);

it.each(Object.keys(NOT_RUN))('the documents have what is not run: %s', part =>
  expect(commands.some(({ command }) => command.includes(part))).toBe(true),
);

const WORKSPACE = {
  'package.json': '{"name":"root","workspaces":["packages/*"]}',
  'packages/backend/package.json': '{"name":"backend"}',
};
describe('a command of the documents that calls api-gate, on a generated app', () => {
  const generated = Object.fromEntries(
    ['app-config.yaml', PRODUCTION].map(name => [
      name,
      readDocument(
        `src/__tests__/__testUtils__/createApp/${name}`,
      ).text.replace(
        /^backend:\n(?=[^]*client: pg)/m,
        // The token of docs/recipes/clients.md.
        backend =>
          `${backend}  auth: { externalAccess: [{ type: static, options: { token: '\${CATALOG_SCRIPT_TOKEN}', subject: catalog-script } }] }\n`,
      ),
    ]),
  );
  const checkouts = folderWith({ 'app/.git': '' });
  const app = path.join(checkouts, 'app');
  writeInto(app, {
    ...generated,
    ...WORKSPACE,
    'packages/backend/package.json':
      '{"name":"backend","dependencies":{"@backstage/plugin-catalog-backend":"*"}}',
  });
  writeInto(path.join(checkouts, 'base'), generated);

  const runCommand = (command: string) =>
    runCliIn(argsIn(command.slice(API_GATE.length)), {
      cwd: path.join(app, 'packages/backend'),
    });
  const [initCommand] = blocksAfter(
    'docs/rollout.md',
    '2. Install in report-only mode',
    'sh',
  )
    .flatMap(block => block.split('\n'))
    .filter(line => line.startsWith(`${API_GATE}init`));
  const reportCommand = commands.find(
    ({ file, command }) =>
      file === 'docs/ci.md' && command.startsWith(`${API_GATE}report`),
  )!.command;

  it('follows the one before: the block of init is reported', async () => {
    const { stdout: block } = await runCommand(initCommand);
    // The first line of the block asks for this in a file that has `auth`.
    const [, settings] = block.split(/^auth:.*\n/m);
    const text = generated[PRODUCTION].replace(
      'auth:\n',
      auth => auth + settings,
    );
    writeInto(app, { [PRODUCTION]: text });
    expect(await runCommand(reportCommand)).toMatchObject({ code: 0 });
    const written = readFileSync(path.join(app, 'api-gate.report.md'), 'utf8');
    expect(written).toContain('\nclosed          catalog\n');
  });

  it.each(
    named(run.filter(isCli)).filter(
      ([, { command }]) => command !== initCommand,
    ),
  )('ends with 0: %s', async (_, { command }) => {
    const result = await runCommand(command);
    expect(result).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        command.endsWith(' --help')
          ? /^$/
          : /^Read \S+app-config\.yaml, \S+app-config\.production\.yaml\n/,
      ),
    });
    expect(result.stderr).not.toContain('Not read');
  });
});

/** A configuration with a rule in its sixth line. */
const withRule = (rule: string) => `backend:
  baseUrl: http://localhost:7007
auth:
  apiGate:
    allow:
      - ${rule}
`;

describe('a sample of docs/cli.md', () => {
  const REPORT = 'api-gate.report.md';

  /** The folder in which a command prints its sample. */
  const folders: Record<string, () => Promise<string>> = {
    async check() {
      const before = withRule('').replace('allow:\n      - ', 'allow: []');
      const folder = folderWith({ ...WORKSPACE, 'app-config.yaml': before });
      const args = ['--config', '../../app-config.yaml'];
      await runCliIn(['report', ...args, '--out', `../../${REPORT}`], {
        cwd: path.join(folder, 'packages/backend'),
      });
      const rule =
        '{ plugin: hello, path: /hook, methods: [POST], reason: A webhook }';
      writeInto(folder, { 'app-config.yaml': withRule(rule) });
      return folder;
    },
    explain: async () =>
      folderWith({
        ...WORKSPACE,
        'app-config.yaml': withRule('{ plugin: hello, path: /health }'),
        [PRODUCTION]: 'auth: { apiGate: {} }\n',
      }),
  };

  const samples = codeBlocks('text')
    .filter(({ file }) => file === 'docs/cli.md')
    .map(({ text }) => text.match(/^\$ api-gate (.*?)\n(.*)$/s)!);

  it('is found', () => expect(samples).toHaveLength(2));

  it.each(samples.map(([, args, output]) => [args, output] as const))(
    'is what the command prints: %s',
    async (line, output) => {
      const args = argsIn(line);
      const folder = await folders[args[0]]();
      const { stdout, stderr } = await runCli(args, {
        cwd: path.join(folder, 'packages/backend'),
      });
      // The files are listed first.
      const withoutHash = (text: string) =>
        text.trimEnd().replace(/(policy is) [\da-f]{12}/, '$1 …');
      expect(withoutHash(stderr + stdout)).toBe(withoutHash(output));
    },
  );
});

describeWithCurl('a command of the documents for a shell', () => {
  let backend: RunningBackend;
  let env: Record<string, string>;

  beforeAll(async () => {
    backend = await startBackend({
      features: [catalogPlugin, permissionPlugin, allowAllPolicy],
      config: {
        permission: { enabled: true },
        ...accessWith(
          staticToken('catalog-script-of-a-test', 'catalog-script', 'catalog'),
          staticToken('api-gate-policy-of-a-test', 'api-gate-policy', {
            plugin: 'auth',
            permission: 'auth.api-gate.read',
          }),
        ),
        auth: { apiGate: { operators: ['user:development/guest'] } },
      },
    });
    const signedIn = await rawRequest(backend.port, '/api/auth/guest/refresh');
    env = {
      TOKEN: JSON.parse(signedIn.body).backstageIdentity.token,
      CATALOG_SCRIPT_TOKEN: 'catalog-script-of-a-test',
      API_GATE_POLICY_TOKEN: 'api-gate-policy-of-a-test',
    };
  });
  afterAll(() => backend.stop());

  it.each(named(run.filter(command => !isCli(command))))(
    'succeeds: %s',
    async (_, { command, status }) => {
      const output = await runShell(command, { url: backend.url, env });
      expect(output.trim()).not.toBe('');
      expect(status ?? output.trim()).toBe(output.trim());
    },
  );
});
