import { execFile, execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import {
  blocksAfter,
  codeBlocks,
  codeIn,
  root,
  tableRows,
} from '../../__testUtils__/documents';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { folderWith, writeInto } from '../../__testUtils__/runCli';
import { startBackend } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const [workflow] = codeBlocks('yaml')
  .filter(({ file }) => file === 'docs/first-week.md')
  .map(({ text }) => parse(text))
  .filter(({ jobs }) => jobs);
const runs: string[] = workflow.jobs['api-gate'].steps.flatMap(
  ({ run = [] }) => run,
);

/** The rows of the page about pull requests that fail. */
const rows = tableRows('docs/first-week.md', [
  'A pull request',
  'The job fails at',
  'The line that says why',
]);

const PRODUCTION = `auth:
  apiGate:
    allow:
      - { plugin: events, path: /http/github, methods: [POST] }
      - { plugin: proxy, path: '/\${HOOK:-hook}' }
      - { plugin: proxy, path: '/\${TEAM}' }
    expect:
      - { request: POST /api/events/http/github, is: public }
      - { plugin: catalog, is: closed }
`;

/** Files as create-app and its pages have them, with the rules in the file that production uses. */
const APP = {
  'package.json': '{"name":"root","private":true,"workspaces":["packages/*"]}',
  'packages/backend/package.json': '{"name":"backend"}',
  'packages/backend/Dockerfile':
    'CMD ["node", "packages/backend", "--config", "app-config.yaml", "--config", "app-config.production.yaml"]\n',
  '.gitignore': '*.local.yaml\n',
  'app-config.yaml': `app: { baseUrl: http://localhost:3000 }
backend:
  baseUrl: http://localhost:7007
  database: { client: pg, connection: { password: '\${POSTGRES_PASSWORD}' } }
auth: { providers: { guest: {} } }
`,
  'app-config.production.yaml': PRODUCTION,
};

/** Yarn is not needed here: the steps of the page run the command of the workspace, and there is nothing to install. */
const YARN = `#!/bin/sh
case "$*" in
  'install --immutable') ;;
  '--cwd packages/backend api-gate '*)
    cd packages/backend
    shift 3
    exec '${process.execPath}' '${root}/bin/api-gate' "$@" ;;
  *) exit 127 ;;
esac
`;

const tools = folderWith({ yarn: YARN });
chmodSync(path.join(tools, 'yarn'), 0o755);

function git(cwd: string, ...args: string[]) {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
  execFileSync('git', [...identity, ...args], { cwd, stdio: 'pipe' });
}

const origin = folderWith(APP);
git(origin, 'init', '--quiet', '--initial-branch=main');
git(origin, 'add', '.');
git(origin, 'commit', '--quiet', '--message', 'main');

/** Runs a command as GitHub's runner does. The code is `undefined` where it succeeds. */
function runStep(
  command: string,
  cwd: string,
  env: Record<string, string>,
): Promise<{ code: unknown; output: string }> {
  return new Promise(resolve => {
    execFile(
      'bash',
      ['--noprofile', '--norc', '-eo', 'pipefail', '-c', command],
      { cwd, env },
      (error, stdout, stderr) =>
        resolve({ code: error?.code, output: stderr + stdout }),
    );
  });
}

/** Runs the steps of the workflow on a pull request, until one fails. */
async function runJob(changed: Record<string, string>, steps = runs) {
  const checkout = path.join(folderWith({}), 'app');
  git('/', 'clone', '--quiet', origin, checkout);
  git(checkout, 'checkout', '--quiet', '-b', 'change');
  writeInto(checkout, changed);
  git(checkout, 'add', '--force', '.');
  git(checkout, 'commit', '--quiet', '--allow-empty', '--message', 'change');
  const env = {
    PATH: `${tools}:${process.env.PATH}`,
    GITHUB_WORKSPACE: checkout,
  };
  for (const run of steps) {
    const { code, output } = await runStep(run, checkout, env);
    if (code !== undefined) {
      const [, failedAt] = run.match(/api-gate (\w+)/) ?? [];
      return { code, failedAt, output };
    }
  }
  return {};
}

const production = (from: string, to: string) => {
  expect(PRODUCTION).toContain(from);
  return { 'app-config.production.yaml': PRODUCTION.replace(from, to) };
};
const opening = (rule: string) =>
  production('    expect:', `      - ${rule}\n    expect:`);

const describeWithBash =
  process.platform === 'win32' ? describe.skip : describe;

describeWithBash('the workflow of docs/first-week.md', () => {
  it.each<[string, Record<string, string>, number]>([
    [
      'opens a path of a plugin that must stay closed',
      opening("{ plugin: catalog, path: '/entities/**' }"),
      1,
    ],
    ['opens another path', opening('{ plugin: proxy, path: /demo }'), 1],
    [
      'removes or misspells what must stay closed',
      production('      - { plugin: catalog, is: closed }\n', ''),
      1,
    ],
    [
      'removes or misspells what must stay closed',
      production('plugin: catalog', 'plugin: catalgo'),
      1,
    ],
    [
      'misspells the plugin of a rule that an expectation needs',
      production('plugin: events', 'plugin: event'),
      1,
    ],
    ['misspells `apiGate`', production('apiGate', 'apigate'), 2],
    [
      'moves the block to another place',
      production('auth:\n', 'backend:\n'),
      2,
    ],
    [
      'removes the block, or moves it to a file that production does not read',
      { 'app-config.production.yaml': 'app: {}\n', 'gate.yaml': PRODUCTION },
      1,
    ],
    ['opens another path', production(':-hook', ':-demo'), 1],
    ...[
      ['HOOK:-hook', 'OTHER:-hook'],
      ['TEAM', 'GROUP'],
      ['/http/github,', "'/http/${TOPIC:-github}',"],
      ['plugin: catalog', "plugin: '${DATA:-catalog}'"],
    ].map(([from, to]): [string, Record<string, string>, number] => [
      'has another variable in a rule or an expectation',
      production(from, to),
      1,
    ]),
    [
      'adds an `app-config.local.yaml` with `auth.apiGate`',
      { 'app-config.local.yaml': 'auth: { apiGate: { mode: report-only } }' },
      2,
    ],
  ])(
    '[P103] fails for a pull request that %s',
    async (what, changed, exitCode) => {
      const [, at, line] = rows.find(([name]) => name === what)!;
      const { code, failedAt, output = '' } = await runJob(changed);
      expect(output.split('\n')).toContainEqual(
        expect.stringContaining(codeIn(line)[0]),
      );
      expect(code).toBe(exitCode);
      expect(failedAt).toBe(codeIn(at)[0]);
      expect(output).toContain(
        'Read ../../app-config.yaml, ../../app-config.production.yaml\n',
      );
    },
  );

  it.each([
    "mode: '${API_GATE_MODE:-report-only}'",
    "mode: '${API_GATE_MODE:-enforce}'",
    "mode: '${API_GATE_MODE}'",
    "mode: 'report-${ONLY:-only}'",
    'mode: { $env: API_GATE_MODE }',
    "mode: '${API_GATE_MODE:-report-only}'\n    until: 2999-01-01",
    "mode: report-only\n    until: '${END:-2001-01-01}'",
    "mode: report-only\n    until: '${END}'",
  ])(
    '[P103] fails at check, and at diff, for a pull request that has %j',
    async setting => {
      const changed = production('    allow:', `    ${setting}\n    allow:`);
      const row = 'takes `mode` or `until` from a variable';
      const [, , line] = rows.find(([name]) => name === row)!;
      const atCheck = await runJob(changed);
      expect(atCheck).toMatchObject({ code: 1, failedAt: 'check' });
      expect(atCheck.output).toContain(codeIn(line)[0]);
      const diff = runs.filter(run => run.includes('api-gate diff'));
      const atDiff = await runJob(changed, diff);
      expect(atDiff).toMatchObject({ code: 1, failedAt: 'diff' });
      expect(atDiff.output).toContain(
        '\n+ not known  auth.apiGate.mode or until holds a variable that is not set\n',
      );
    },
  );

  it.each<[string, Record<string, string>]>([
    ['changes nothing of the gate', { 'README.md': 'hello\n' }],
    [
      'has a reason for a rule, and closes one more plugin',
      {
        'app-config.production.yaml': `${PRODUCTION.replace(
          'methods: [POST] }',
          'methods: [POST], reason: GitHub signs these }',
        )}      - { plugin: search, is: closed }\n`,
      },
    ],
    [
      'adds a local file without settings of the gate',
      { 'app-config.local.yaml': 'app: { title: mine }\n' },
    ],
  ])('passes for a pull request that %s', async (_, changed) => {
    expect(await runJob(changed)).toEqual({});
  });

  it('has a test for each row of its page', () =>
    expect(rows).toHaveLength(10));
});

describeWithBash('the step after a deployment of docs/first-week.md', () => {
  const [step] = blocksAfter('docs/first-week.md', 'Day 8: enforce', 'sh');

  it.each([
    [true, undefined, 'answers 401 from the gate (all of 20 requests)'],
    [false, 1, 'answers 404: the gate is missing, or in report-only'],
  ])('with the gate: %s', async (withGate, exitCode, line) => {
    const backend = await startBackend({
      withGate,
      features: ['events', 'catalog'].map(id => recordingPlugin(id).feature),
    });
    const { code, output } = await runStep(
      step.replace('https://backstage.example.com', backend.url),
      origin,
      { PATH: `${tools}:${process.env.PATH}` },
    );
    await backend.stop();
    expect(output).toContain(line);
    expect(code).toBe(exitCode);
  });
});
