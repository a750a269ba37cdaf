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
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  folderWith,
  runCli,
  runCliIn,
  writeInto,
} from '../__testUtils__/runCli';
import { describeWithCurl, runShell } from '../__testUtils__/runShell';
import { serve } from '../__testUtils__/serve';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

const ADDRESS = 'https://backstage.example.com';
const API_GATE = 'yarn --cwd packages/backend api-gate ';
const PRODUCTION = 'app-config.production.yaml';

/** Parts of commands that no test can run here, and why. */
const NOT_RUN: Record<string, string> = {
  'git clone': 'needs the address of the repository, which its owner has',
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
  [' --live ']:
    'needs the gate: src/__tests__/documents/workflow.test.ts runs it',
  'cat *.log':
    'needs the logs of a report-only backend: integration/processes/replicas/checkReportOnly.ts runs it',
  ...Object.fromEntries(
    ['git worktree', '$RUNNER_TEMP'].map(part => [
      part,
      'needs another checkout: src/__tests__/documents/workflow.test.ts runs it',
    ]),
  ),
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

  let policy: string;
  const runCommand = (command: string) =>
    runCliIn(
      argsIn(command.slice(API_GATE.length)).map(arg =>
        arg.replace(/^https:.*\/v1\/policy$/, policy),
      ),
      {
        cwd: path.join(app, 'packages/backend'),
        env: { API_GATE_POLICY_TOKEN: 'a-token' },
      },
    );
  const commandAfter = (page: string, heading: string, part: string) =>
    blocksAfter(page, heading, 'sh')
      .flatMap(block => block.split('\n'))
      .find(line => line.startsWith(API_GATE) && line.includes(part))!;

  beforeAll(async () => {
    const seen = {
      firstSeen: '2026-11-27T08:00:00.000Z',
      lastSeen: '2026-11-27T08:00:00.000Z',
    };
    ({ url: policy } = await serve((_req, res) =>
      res.end(
        JSON.stringify({
          ...{ allow: [], closed: [], openedInCode: [], unknown: [] },
          installed: ['catalog', 'hello'],
          reportOnly: {
            since: '2026-11-27T07:00:00.000Z',
            worked: [
              {
                plugin: 'hello',
                path: '/x',
                method: 'GET',
                requests: 1,
                ...seen,
              },
            ],
          },
        }),
      ),
    ));
    const { stdout: block } = await runCommand(
      commandAfter('docs/rollout.md', '2. Install in report-only mode', 'init'),
    );
    // The first line of the block asks for this in a file that has `auth`.
    const [, settings] = block.split(/^auth:.*\n/m);
    const text = generated[PRODUCTION].replace(
      'auth:\n',
      auth => auth + settings,
    );
    writeInto(app, { [PRODUCTION]: text });
  });

  it('follows the one before: the block of init is checked', async () => {
    const check = commands.find(
      ({ file, command }) =>
        file === 'docs/ci.md' && command.endsWith(' --format github'),
    )!;
    expect(await runCommand(check.command)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('1 of 1 expectations hold'),
    });
  });

  it('follows the one before: diff shows what the block changes', async () => {
    const diff = commandAfter('docs/cli.md', '`api-gate diff`', '--against');
    const { code, stdout } = await runCommand(diff);
    expect(stdout).toContain(
      '- newly expected  the plugin catalog is closed\n',
    );
    expect(code).toBe(0);
  });

  it('follows the one before: init adds what worked, as comments', async () => {
    const init = commandAfter('docs/rollout.md', '4. Write the rules', 'init');
    const { code, stdout, stderr } = await runCommand(init);
    expect(stdout).toContain(
      "\n    #   - { plugin: hello, path: '/x', methods: [GET] }",
    );
    expect(stderr).toContain(
      'auth.apiGate is there already (../../app-config.production.yaml:',
    );
    expect(code).toBe(0);
  });

  it.each(named(run.filter(isCli)))(
    'ends with 0: %s',
    async (_, { command }) => {
      const result = await runCommand(command);
      expect(result).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(
          command.endsWith(' --help')
            ? /^$/
            : /^Read \S+app-config\.yaml, \S+app-config\.production\.yaml\nauth\.apiGate\.mode is report-only until /,
        ),
      });
      expect(result.stderr).not.toContain('Not read');
    },
  );
});

const WITH_RULE = `backend:
  baseUrl: http://localhost:7007
auth:
  apiGate:
    allow:
      - { plugin: hello, path: /health }
`;

/** Plugins that are installed for the backend, with what a scan finds in the published ones. */
const SCANNED = {
  'packages/backend/package.json':
    '{"name":"backend","backstage":{"role":"backend"},"dependencies":{"plugin-acme-backend":"*","@pagerduty/backstage-plugin-backend":"*","@roadiehq/backstage-plugin-argo-cd-backend":"*","@backstage/plugin-notifications-backend":"*"}}',
  ...plugin('plugin-acme-backend', '1.2.0', 'acme', [
    '',
    'addAuthPolicy({ path, allow: "unauthenticated" });',
  ]),
  ...plugin(
    '@backstage/plugin-notifications-backend',
    '0.6.11',
    'notifications',
    ['addAuthPolicy({ path: "/health", allow: "unauthenticated" });'],
  ),
  ...plugin('@pagerduty/backstage-plugin-backend', '0.14.0', 'pagerduty', [
    'if (config.getBoolean("pagerDuty.enableUnauthenticatedAccess")) { addAuthPolicy({ path: "/", allow: "unauthenticated" }); }',
  ]),
  ...plugin('@roadiehq/backstage-plugin-argo-cd-backend', '4.8.0', 'argocd', [
    ...Array(8).fill('router.get("/find", f);'),
    ...Array(5).fill('router.delete("/:id", f);'),
  ]),
};

/** Returns the files of an installed plugin. */
function plugin(
  name: string,
  version: string,
  pluginId: string,
  lines: string[],
) {
  return {
    [`node_modules/${name}/package.json`]: JSON.stringify({
      name,
      version,
      backstage: { role: 'backend-plugin' },
    }),
    [`node_modules/${name}/dist/plugin.cjs.js`]: `createBackendPlugin({ pluginId: "${pluginId}" });\n${lines.join('\n')}`,
  };
}

describe('a sample of docs/cli.md', () => {
  const checkouts = folderWith({
    'app/.git': '',
    'base/app-config.yaml': WITH_RULE,
    'base/app-config.production.yaml': 'app: {}\n',
  });
  const folder = path.join(checkouts, 'app');
  writeInto(folder, {
    ...WORKSPACE,
    ...SCANNED,
    'app-config.yaml': WITH_RULE,
    'app-config.production.yaml': `auth:
  apiGate:
    allow:
      - { plugin: techdocs, path: /static/**, reason: docs on the intranet }
      - { plugin: catalog, path: /entities/** }
    expect:
      - { plugin: catalog, is: closed }
`,
  });
  const withExpectations = folderWith({
    ...WORKSPACE,
    'app-config.yaml': `${WITH_RULE}    expect:
      - { request: GET /api/hello/users, is: closed }
      - { plugin: catalog, is: closed }
`,
  });
  let backend: RunningBackend;
  beforeAll(async () => {
    backend = await startBackend({
      features: ['hello', 'catalog'].map(id => recordingPlugin(id).feature),
    });
  });
  afterAll(() => backend.stop());

  const samples = codeBlocks('text')
    .filter(({ file }) => file === 'docs/cli.md')
    .map(({ text }) => text.match(/^\$ api-gate (.*?)\n(.*)$/s)!);

  it('is found', () => expect(samples).toHaveLength(6));

  it.each(samples.map(([, args, output]) => [args, output] as const))(
    'is what the command prints: %s',
    async (line, output) => {
      const args = argsIn(line.replace(ADDRESS, backend.url));
      const isLive = args.includes('--live');
      const { stdout, stderr } = await runCli(args, {
        cwd: path.join(isLive ? withExpectations : folder, 'packages/backend'),
      });
      // The files are listed first.
      expect((stderr + stdout).trimEnd()).toBe(
        output
          .replace(`${ADDRESS}/api/`, 'http://localhost:7007/api/')
          .replace(ADDRESS, backend.url),
      );
    },
  );
});

it('the block of docs/cli.md is what api-gate init prints', async () => {
  const seen = {
    firstSeen: '2026-11-21T08:00:00.000Z',
    lastSeen: '2026-11-27T08:00:00.000Z',
  };
  const worked = [
    {
      ...{ plugin: 'badges', method: 'GET', status: 200, requests: 214 },
      path: '/entity/default/component/website/badge/pingback',
    },
    {
      ...{ plugin: 'catalog', method: 'GET', status: 200, requests: 3 },
      path: '/export',
    },
    {
      ...{ plugin: 'events', method: 'POST', status: 202, requests: 38 },
      path: '/http/github',
    },
    { plugin: 'proxy', method: 'GET', requests: 7 },
  ].map(each => ({ ...each, ...seen }));
  const policy = {
    ...{ allow: [], closed: [], openedInCode: [], unknown: [] },
    installed: ['badges', 'catalog', 'events', 'scaffolder', 'search'],
    reportOnly: {
      since: '2026-11-21T07:00:00.000Z',
      worked,
    },
  };
  const { url } = await serve((_req, res) => res.end(JSON.stringify(policy)));
  const folder = folderWith({
    ...WORKSPACE,
    'app-config.yaml': `backend:
  baseUrl: https://backstage.example.com
  auth:
    externalAccess:
      - type: static
        options: { token: '\${CI_TOKEN}', subject: ci-deploy }
        accessRestrictions: [{ plugin: scaffolder }]
events: { modules: { github: { webhookSecret: of-a-test } } }
`,
    [PRODUCTION]: 'app: {}\n',
  });
  const now = jest
    .spyOn(Date, 'now')
    .mockReturnValue(Date.parse('2026-11-28T12:00:00Z'));
  const files = ['app-config.yaml', PRODUCTION].flatMap(file => [
    '--config',
    `../../${file}`,
  ]);
  const { stdout } = await runCliIn(['init', ...files, '--policy', url], {
    cwd: path.join(folder, 'packages/backend'),
  });
  now.mockRestore();
  const [block] = blocksAfter('docs/cli.md', '`api-gate init`');
  expect(stdout.trimEnd().replace(url, ADDRESS)).toBe(block.trimEnd());
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
