import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { mapValues } from 'lodash';
import { parse } from 'yaml';
import {
  blocksAfter,
  codeBlocks,
  codeIn,
  root,
  tableRows,
} from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { folderWith, runCliIn, writeInto } from '../__testUtils__/runCli';
import { startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

const [workflow] = codeBlocks('yaml')
  .filter(({ file }) => file === 'docs/ci.md')
  .map(({ text }) => parse(text))
  .filter(({ jobs }) => jobs);

interface Step {
  run: string;
  env?: Record<string, string>;
}
const steps: Step[] = workflow.jobs['api-gate'].steps.filter(
  ({ run }: Partial<Step>) => run,
);

/** The rows of the page about pull requests that fail. */
const rows = tableRows('docs/ci.md', [
  'A pull request',
  'The job fails at',
  'The line that says why',
]);

const LIMIT =
  '{ subject: ci, only: [{ plugin: search, path: /query }], until: 2998-01-01 }';

const PRODUCTION = `auth:
  apiGate:
    operators: ['group:default/platform']
    tokens: [${LIMIT}]
    allow:
      - { plugin: hello, path: /http/github, methods: [POST] }
      - { plugin: proxy, path: '/\${HOOK:-hook}' }
      - { plugin: proxy, path: '/\${TEAM}' }
      - { plugin: hello, path: /http/gitlab, methods: [POST], until: 2999-01-01 }
    expect:
      - { request: POST /api/hello/http/github, is: public }
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
  auth: { externalAccess: [{ type: static, options: { token: '\${CI_TOKEN}', subject: ci }, accessRestrictions: [{ plugin: search }] }] }
auth: { providers: { guest: {} } }
`,
  'app-config.production.yaml': PRODUCTION,
};

/**
 * Yarn is not needed here: the steps of the page run the command of the workspace, and there is nothing to install. A `git` that the
 * command runs leaves a file.
 */
const tools = folderWith({
  'git/git': '#!/bin/sh\ntouch "$RUNNER_TEMP/git-was-run"\n',
});
const YARN = `#!/bin/sh
case "$*" in
  'install --immutable') ;;
  '--cwd packages/backend api-gate '*)
    cd packages/backend
    shift 3
    PATH="${tools}/git:$PATH"
    exec '${process.execPath}' '${root}/bin/api-gate' "$@" ;;
  *) exit 127 ;;
esac
`;

writeInto(tools, { yarn: YARN });
['yarn', 'git/git'].forEach(name => chmodSync(path.join(tools, name), 0o755));

function git(cwd: string, ...args: string[]) {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
  const options = { cwd, stdio: 'pipe', encoding: 'utf8' } as const;
  return execFileSync('git', [...identity, ...args], options).trim();
}

const origin = folderWith(APP);
git(origin, 'init', '--quiet', '--initial-branch=main');
git(origin, 'add', '.');
git(origin, 'commit', '--quiet', '--message', 'main');
const BASE_SHA = git(origin, 'rev-parse', 'HEAD');

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

/** The state of GitHub's runner beside a pull request's files. */
interface Runner {
  steps?: Step[];
  baseSha?: string;
  /** The folder of the runner for temporary files, relative to the checkout. */
  temp?: string;
}

/** Makes a pull request. A text that begins with `-> ` is a symbolic link. */
function checkoutOf(changed: Record<string, string>): string {
  const checkout = path.join(folderWith({}), 'app');
  git('/', 'clone', '--quiet', origin, checkout);
  git(checkout, 'checkout', '--quiet', '-b', 'change');
  for (const [name, text] of Object.entries(changed)) {
    rmSync(path.join(checkout, name), { force: true });
    if (text.startsWith('-> ')) {
      symlinkSync(text.slice(3), path.join(checkout, name));
    } else {
      writeInto(checkout, { [name]: text });
    }
  }
  git(checkout, 'add', '--force', '.');
  git(checkout, 'commit', '--quiet', '--allow-empty', '--message', 'change');
  return checkout;
}

/** Runs the steps of the workflow on a pull request, until one fails. */
async function runJob(changed: Record<string, string>, runner: Runner = {}) {
  const checkout = checkoutOf(changed);
  const temp = path.join(checkout, runner.temp ?? '../temp');
  writeInto(temp, { 'production.yaml': PRODUCTION });
  let output = '';
  for (const { run, env } of runner.steps ?? steps) {
    const step = await runStep(run, checkout, {
      PATH: `${tools}:${process.env.PATH}`,
      CI: 'true',
      GITHUB_WORKSPACE: checkout,
      RUNNER_TEMP: temp,
      ...mapValues(env, value =>
        value.replace(
          '${{ github.event.pull_request.base.sha }}',
          runner.baseSha ?? BASE_SHA,
        ),
      ),
    });
    output += step.output;
    expect(existsSync(path.join(temp, 'git-was-run'))).toBe(false);
    if (step.code !== undefined) {
      const [, failedAt] = run.match(/(?:api-gate|git) (\w+)/) ?? [];
      return { code: step.code, failedAt, output };
    }
  }
  return { output };
}

const base = folderWith({ '.git': '', ...APP });

/** Runs the commands of the workflow on a pull request as {@link runJob} does, in this process and without git, which takes a twentieth of the time. */
async function runCommands(changed: Record<string, string>, ofJob = steps) {
  const checkout = folderWith({ '.git': '', ...APP, ...changed });
  let output = '';
  for (const { run } of ofJob) {
    const [, command] = run.match(/ api-gate (.*)$/) ?? [];
    if (command) {
      const args = command.replace('"$RUNNER_TEMP/base"', base).split(' ');
      const { code, stdout, stderr } = await runCliIn(args, {
        cwd: path.join(checkout, 'packages/backend'),
        env: { CI: 'true', GITHUB_WORKSPACE: checkout },
      });
      output += stderr + stdout;
      if (code !== 0) {
        return { code, failedAt: args[0], output };
      }
    }
  }
  return { output };
}

/** The rows that run as a job: a failure of each command, and what needs the runner's folder. */
const AS_JOB = [
  'opens a path of a plugin that must stay closed',
  'opens another path',
  'has a link to a file outside of the repository, or includes one',
];

const production = (from: string, to: string) => {
  expect(PRODUCTION).toContain(from);
  return { 'app-config.production.yaml': PRODUCTION.replace(from, to) };
};
const opening = (rule: string) =>
  production('    expect:', `      - ${rule}\n    expect:`);

const describeWithBash =
  process.platform === 'win32' ? describe.skip : describe;

describeWithBash('the workflow of docs/ci.md', () => {
  it.each<[string, Record<string, string>, number]>([
    [
      'opens a path of a plugin that must stay closed',
      opening("{ plugin: catalog, path: '/entities/**' }"),
      1,
    ],
    ['opens another path', opening('{ plugin: proxy, path: /demo }'), 1],
    [
      'lets somebody do more by another setting',
      production('platform', "platform', 'group:default/guests"),
      1,
    ],
    ['misspells a setting', production('operators', 'operator'), 2],
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
      production('plugin: hello', 'plugin: helo'),
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
    ...[
      '-> ../temp/production.yaml',
      "auth: { $include: '../temp/production.yaml#auth' }\n",
    ].map((text): [string, Record<string, string>, number] => [
      'has a link to a file outside of the repository, or includes one',
      { 'app-config.production.yaml': text },
      2,
    ]),
  ])(
    '[P103] fails for a pull request that %s',
    async (what, changed, exitCode) => {
      const [, at, line] = rows.find(([name]) => name === what)!;
      const run = AS_JOB.includes(what) ? runJob : runCommands;
      const { code, failedAt, output } = await run(changed);
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
      const atCheck = await runCommands(changed);
      expect(atCheck).toMatchObject({ code: 1, failedAt: 'check' });
      expect(atCheck.output).toContain(codeIn(line)[0]);
      const withoutCheck = steps.filter(({ run }) => !run.includes(' check '));
      const atDiff = await runCommands(changed, withoutCheck);
      expect(atDiff).toMatchObject({ code: 1, failedAt: 'diff' });
      expect(atDiff.output).toContain(
        '\n+ not known  auth.apiGate.mode or until holds a variable that is not set\n',
      );
    },
  );

  const withSetting = (setting: string) =>
    production('    expect:', `    ${setting}\n    expect:`);
  const inApp = (from: string, to: string) => {
    expect(APP['app-config.yaml']).toContain(from);
    return { 'app-config.yaml': APP['app-config.yaml'].replace(from, to) };
  };
  const WEBHOOK = 'auth.apiGate.allow[0] (POST /api/hello/http/github)';
  const NO_BARRIERS = 'dangerouslyDisableDefaultAuthPolicy: true';

  it.each<[string, Record<string, string>, string]>([
    [
      'trusts an origin',
      withSetting("cookie: { trustedOrigins: ['https://portal.example.com'] }"),
      '+ trusts  https://portal.example.com',
    ],
    [
      'trusts a path',
      withSetting('cookie: { trustedPaths: [{ plugin: docs, path: /** }] }'),
      '+ trusts  /api/docs/**',
    ],
    [
      'lets a rule end later',
      production('2999-01-01', '2999-01-02'),
      '+ longer  POST /api/hello/http/gitlab  ends 2999-01-02',
    ],
    [
      'lets an external token make every request',
      production('only: [{ plugin: search, path: /query }], ', 'only: all, '),
      '+ may more  ci: what accessRestrictions allow  (until 2998-01-01',
    ],
    [
      'lets a token end later',
      production('2998-01-01', '2999-01-01'),
      '+ may more  ci: GET /api/search/query  (until 2999-01-01',
    ],
    [
      'removes accessRestrictions',
      inApp(', accessRestrictions: [{ plugin: search }]', ''),
      '+ may more  ci: every plugin  backend.auth.externalAccess[0]',
    ],
    [
      'has an external token of its own',
      inApp("'${CI_TOKEN}'", 'mine-mine-mine'),
      '+ may more  ci: {"plugin":"search"}  backend.auth.externalAccess[0]',
    ],
    [
      'takes an external token from another variable',
      inApp('CI_TOKEN', 'OTHER_TOKEN'),
      '+ may more  ci: {"plugin":"search"}  backend.auth.externalAccess[0]',
    ],
    [
      "switches Backstage's default policy off",
      inApp('auth: { externalAccess', `auth: { ${NO_BARRIERS}, externalAccess`),
      '+ finding  no-barrier-behind  backend.auth.dangerouslyDisableDefaultAuthPolicy',
    ],
    [
      'accepts a finding',
      withSetting(
        `findings: { accept: [{ id: rule-changes-data, at: '${WEBHOOK}', reason: x }] }`,
      ),
      `+ accepts  rule-changes-data  ${WEBHOOK}`,
    ],
    [
      'takes operators from a variable',
      production("'group:default/platform'", "'${OPERATOR}'"),
      '+ not known  auth.apiGate.operators holds a variable that is not set',
    ],
    [
      'has no list of external tokens any more',
      production(`    tokens: [${LIMIT}]\n`, ''),
      '+ may more  *: what accessRestrictions allow',
    ],
  ])(
    '[P103] fails at diff for a pull request that %s',
    async (_, changed, line) => {
      const job = await runCommands(changed);
      expect(job).toMatchObject({ code: 1, failedAt: 'diff' });
      expect(job.output).toContain(`\n${line}`);
    },
  );

  it('fails for a pull request that has a setting twice', async () => {
    const twice = '    operators: []\n    operators';
    const job = await runCommands(production('    operators', twice));
    expect(job).toMatchObject({ code: 2, failedAt: 'check' });
    expect(job.output).toContain('Map keys must be unique');
  });

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
      'lets a rule end earlier, limits a token more, and removes the operators',
      {
        'app-config.production.yaml': PRODUCTION.replace('2999', '2997')
          .replace('2998', '2997')
          .replace(/ {4}operators: .*\n/, ''),
      },
    ],
    [
      'sends the cookie to this site alone, and trusts nobody more',
      production(
        '    expect:',
        '    cookie: { sameSite: strict, maxAge: 5m }\n    expect:',
      ),
    ],
    [
      'restricts an external token to fewer permissions',
      inApp('plugin: search }', 'plugin: search, permission: search.query }'),
    ],
    [
      'names operators in the first file, where the file that is read later has its own',
      {
        ...inApp(
          'auth: { providers',
          "auth: { apiGate: { operators: ['group:default/guests'] }, providers",
        ),
      },
    ],
    [
      'adds a local file without settings of the gate',
      { 'app-config.local.yaml': 'app: { title: mine }\n' },
    ],
  ])('passes for a pull request that %s', async (_, changed) => {
    const { code, output } = await runCommands(changed);
    expect(output).toMatch(
      /\nNo difference in what anybody may do\n$|\n- .*\n$/,
    );
    expect(output).not.toMatch(/^\+ /m);
    expect(code).toBeUndefined();
  });

  it('has a test for each row of its page', () =>
    expect(rows).toHaveLength(13));

  const replacing = (from: RegExp, to: string) =>
    steps.map(step => ({ ...step, run: step.run.replace(from, to) }));

  it.each<[string, Record<string, string>, Runner, string, number, string]>([
    [
      '--config names a file outside of the checkout',
      {},
      {
        steps: replacing(
          /\S+production.yaml/,
          '"$RUNNER_TEMP/production.yaml"',
        ),
      },
      ...(['diff', 2, 'this file is outside of the checkout'] as const),
    ],
    [
      'the runner has its folder in the checkout, and a file of the base is included',
      {
        'app-config.production.yaml':
          "auth: { $include: 'temp/base/app-config.production.yaml#auth' }\n",
      },
      { temp: 'temp' },
      ...(['diff', 2, 'both checkouts read this file'] as const),
    ],
    [
      'the folder is empty',
      {},
      { steps: replacing(/^git worktree.*/, 'mkdir "$RUNNER_TEMP/base"') },
      ...(['diff', 2, 'has none of the files to compare'] as const),
    ],
    [
      'the clone lacks the base',
      {},
      { baseSha: '1'.repeat(40) },
      ...(['worktree', 128, 'fatal: '] as const),
    ],
    [
      'the folder is a part of the pull request',
      { 'packages/backend/git:origin/main/app-config.yaml': '' },
      { steps: replacing(/"\$RUNNER_TEMP\/base" --/, 'git:origin/main --') },
      ...([
        'diff',
        2,
        '--against git:origin/main is in this checkout: ',
      ] as const),
    ],
    [
      '--config is left out',
      {},
      { steps: replacing(/ --config .*production.yaml/, '') },
      ...(['check', 2, 'auth.apiGate, and the command has not read'] as const),
    ],
  ])(
    '[P52] passes only where the two sides are compared: not if %s',
    async (_, changed, runner, at, exitCode, line) => {
      const { code, failedAt, output } = await runJob(changed, runner);
      expect(output).toContain(line);
      expect([failedAt, code]).toEqual([at, exitCode]);
    },
  );

  it('names an unread file that has auth.apiGate', async () => {
    const { code, output } = await runJob({ 'app-config.x.yaml': PRODUCTION });
    const line = '\nNot read: ../../app-config.x.yaml has auth.apiGate\n';
    expect(output.split(line)).toHaveLength(3);
    expect(code).toBeUndefined();
  });
});

describeWithBash('the commands for the desk of docs/cli.md', () => {
  it('compare with the main branch, and leave nothing', async () => {
    const opened = opening('{ plugin: proxy, path: /demo }');
    const [run] = blocksAfter('docs/cli.md', '`api-gate diff`', 'sh');
    const checkout = checkoutOf(opened);
    const env = { PATH: `${tools}:${process.env.PATH}` };
    const { code, output } = await runStep(run, checkout, env);
    expect(output).toContain('\n+ public  GET,HEAD /api/proxy/demo');
    expect(code).toBeUndefined();
    expect(existsSync(path.join(checkout, '../base'))).toBe(false);
  });
});

describeWithBash('the step after a deployment of docs/ci.md', () => {
  const [step] = blocksAfter('docs/ci.md', 'After each deployment', 'sh');

  it.each([
    [true, undefined, 'answers 401 from the gate (all of 20 requests)'],
    [false, 1, 'answers 404: the gate is missing, or in report-only'],
  ])('with the gate: %s', async (withGate, exitCode, line) => {
    const backend = await startBackend({
      withGate,
      features: ['hello', 'catalog'].map(id => recordingPlugin(id).feature),
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
