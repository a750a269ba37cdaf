import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import {
  blocksAfter,
  codeBlocks,
  codeIn,
  readDocument,
  root,
  tableRows,
} from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { folderWith, runCliIn, writeInto } from '../__testUtils__/runCli';
import { startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

const REPORT = 'api-gate.report.md';
const API_GATE = '--cwd packages/backend api-gate ';

const [workflowText] = codeBlocks('yaml')
  .filter(({ file }) => file === 'docs/ci.md')
  .map(({ text }) => text)
  .filter(text => text.includes('jobs:'));

/** The commands of the job, in their order. */
const steps: string[] = parse(workflowText).jobs['api-gate'].steps.flatMap(
  ({ run }: { run?: string }) => run ?? [],
);

/** The command that writes the report for the first time. */
const [writeReport] = blocksAfter('docs/ci.md', 'Set it up', 'sh');
const codeOwners = codeBlocks('text').find(
  ({ file, text }) => file === 'docs/ci.md' && text.includes('CODEOWNERS'),
)!.text;

const RULE = '- { plugin: hello, path: /http/github, methods: [POST] }';
const LIMIT =
  '{ subject: ci, only: [{ plugin: search, path: /query }], until: 2998-01-01 }';

const PRODUCTION = `auth:
  apiGate:
    mode: enforce
    operators: ['group:default/platform']
    tokens: [${LIMIT}]
    allow:
      ${RULE}
      - { plugin: hello, path: /health, reason: load balancers }
    closed: [catalog]
`;

const PLUGIN = '@backstage/plugin-signals-backend';
const OWN = '@internal/plugin-own-backend';

/** Returns the code of a plugin that declares policies. */
const codeOf = (id: string, ...policies: string[]) =>
  `createBackendPlugin({ pluginId: '${id}', register() {
${policies.map(each => `http.addAuthPolicy({ path: '${each}', allow: 'unauthenticated' });`).join('\n')} } });`;

/** The files of a repository as create-app makes them, and as docs/ci.md adds to them. */
const APP: Record<string, string> = {
  ...Object.fromEntries(
    ['app-config.yaml'].map(name => [
      name,
      readDocument(
        `src/__tests__/__testUtils__/createApp/${name}`,
      ).text.replace(
        'backend:\n',
        "backend:\n  auth: { externalAccess: [{ type: static, options: { token: '${CI_TOKEN}', subject: ci }, accessRestrictions: [{ plugin: search }] }] }\n",
      ),
    ]),
  ),
  'app-config.production.yaml': PRODUCTION,
  'package.json': '{"name":"root","private":true,"workspaces":["packages/*"]}',
  'packages/backend/package.json': JSON.stringify({
    name: 'backend',
    dependencies: { [PLUGIN]: '^0.3.0', [OWN]: '*' },
  }),
  'plugins/own-backend/package.json': JSON.stringify({ name: OWN }),
  '.gitignore': 'node_modules\ndist\n*.local.yaml\n',
  '.github/workflows/api-gate.yml': workflowText,
  '.github/CODEOWNERS': codeOwners,
};

// Yarn is not needed here: the steps run the command of the workspace, and there is nothing to install.
const tools = folderWith({
  yarn: `#!/bin/sh
case "$*" in
  'install --immutable') ;;
  '${API_GATE}'*)
    cd packages/backend
    shift 3
    exec '${process.execPath}' '${root}/bin/api-gate' "$@" ;;
  *) exit 127 ;;
esac
`,
});
chmodSync(path.join(tools, 'yarn'), 0o755);

function git(cwd: string, ...args: string[]) {
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
  const options = { cwd, stdio: 'pipe', encoding: 'utf8' } as const;
  return execFileSync('git', [...identity, ...args], options).trim();
}

/** Installs the packages of a checkout, with the code of the published plugin. */
function install(checkout: string, code: string): void {
  writeInto(checkout, {
    [`node_modules/${PLUGIN}/package.json`]: JSON.stringify({ name: PLUGIN }),
    [`node_modules/${PLUGIN}/dist/index.cjs.js`]: code,
    'node_modules/@internal/.keep': '',
  });
  rmSync(path.join(checkout, 'node_modules', OWN), { force: true });
  symlinkSync(
    path.join(checkout, 'plugins/own-backend'),
    path.join(checkout, 'node_modules', OWN),
  );
}

/** Runs a command of the documents in this process, which takes a tenth of the time of a new one. */
function runCommand(command: string, checkout: string) {
  const [, args] = command.split(API_GATE);
  return runCliIn(args.trim().split(' '), {
    cwd: path.join(checkout, 'packages/backend'),
    env: { GITHUB_WORKSPACE: checkout },
  });
}

const NOTHING_OPEN = codeOf('signals');

const origin = folderWith(APP);
beforeAll(async () => {
  install(origin, NOTHING_OPEN);
  await runCommand(writeReport, origin);
  git(origin, 'init', '--quiet', '--initial-branch=main');
  git(origin, 'add', '.');
  git(origin, 'commit', '--quiet', '--message', 'main');
});

interface PullRequest {
  /** Replaces a text of the file that production reads. */
  production?: [from: string, to: string];
  files?: Record<string, string>;
  /** The code of the published plugin after `yarn install`. */
  code?: string;
}

/** Makes the files of a pull request in a clone. Its report is that of the main branch. */
function checkoutOf({
  production,
  files = {},
  code = NOTHING_OPEN,
}: PullRequest): string {
  const checkout = path.join(folderWith({}), 'app');
  git('/', 'clone', '--quiet', origin, checkout);
  install(checkout, code);
  if (production) {
    const [from, to] = production;
    expect(PRODUCTION).toContain(from);
    const text = PRODUCTION.replace(from, () => to);
    writeInto(checkout, { 'app-config.production.yaml': text });
  }
  writeInto(checkout, files);
  return checkout;
}

/** Returns the lines of a pull request's diff of the report, once its author has run the command that CI prints. */
async function diffOf(pull: PullRequest): Promise<string[]> {
  const checkout = checkoutOf(pull);
  expect(await runCommand(writeReport, checkout)).toMatchObject({ code: 0 });
  return git(checkout, 'diff', '--', REPORT)
    .split('\n')
    .filter(line => /^[+-](?![+-]{2} )/.test(line));
}

function runStep(checkout: string, command: string) {
  const args = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', command];
  const PATH = `${tools}:${process.env.PATH}`;
  const env = { PATH, GITHUB_WORKSPACE: checkout };
  return new Promise<{ code: unknown; output: string }>(resolve => {
    execFile('bash', args, { cwd: checkout, env }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stderr + stdout }),
    );
  });
}

/** Runs the steps of the workflow as GitHub's runner does, until one fails. */
async function runJob(checkout: string, commands = steps) {
  const all: string[] = [];
  for (const command of commands) {
    const { code, output } = await runStep(checkout, command);
    all.push(output);
    if (code !== 0) {
      return { code, output: all.join('') };
    }
  }
  return { code: 0, output: all.join('') };
}

const ADDS_RULE: PullRequest = {
  production: [RULE, `${RULE}\n      - { plugin: proxy, path: /demo }`],
};
const TOKEN_GETS_MORE: PullRequest = {
  production: [
    'path: /query }]',
    'path: /query }, { plugin: catalog, path: /entities, methods: [POST] }]',
  ],
};
const OPENING_UPDATE: PullRequest = { code: codeOf('signals', '/') };

const describeWithBash =
  process.platform === 'win32' ? describe.skip : describe;

/** By the rows of docs/ci.md. */
const ROWS: Record<string, PullRequest[]> = {
  'adds a rule, or widens one': [ADDS_RULE],
  'lets an external token do more': [TOKEN_GETS_MORE],
  'adds an operator': [
    { production: ['platform', "platform', 'group:default/guests"] },
  ],
  'trusts another origin': [
    {
      production: [
        '    closed',
        "    cookie: { trustedOrigins: ['https://portal.example.com'] }\n    closed",
      ],
    },
  ],
  "sends the cookie with other sites' requests": [
    {
      production: ['    closed', '    cookie: { sameSite: none }\n    closed'],
      files: {
        'app-config.yaml': APP['app-config.yaml'].replaceAll('http:', 'https:'),
      },
    },
  ],
  'ends enforcement': [{ production: ['mode: enforce', 'mode: report-only'] }],
  'lets a plugin be opened by a rule': [
    { production: ['    closed: [catalog]\n', ''] },
  ],
  'updates a plugin that opens a path': [OPENING_UPDATE],
  'takes a setting from a variable': [
    { production: ['mode: enforce', "mode: '${MODE:-enforce}'"] },
  ],
};

describe('[P103] a pull request', () => {
  const rows = tableRows('docs/ci.md', [
    'A pull request',
    "A line of the report's diff",
  ]);

  it('of each row of docs/ci.md is tried', () =>
    expect(Object.keys(ROWS)).toEqual(rows.map(([what]) => what)));

  it.each(rows)('that %s has the line of docs/ci.md', async (what, cell) => {
    const [line] = codeIn(cell);
    const start = line.replace(/…$/, '');
    for (const pull of ROWS[what]) {
      const lines = await diffOf(pull);
      expect(lines.filter(each => each.startsWith(start))).not.toEqual([]);
    }
  });

  it.each<[string, PullRequest, string[]]>([
    ['opens a webhook', ADDS_RULE, ['+public          GET   /api/proxy/demo']],
    [
      'widens a rule to a whole subtree',
      { production: ['/http/github', "'/http/**'"] },
      [
        '-public          POST  /api/hello/http/github',
        '+public          POST  /api/hello/http/**',
      ],
    ],
    [
      'lets the token of a pipeline write',
      TOKEN_GETS_MORE,
      [
        '+external token  ci  POST  /api/catalog/entities  until 2998-01-01T00:00:00.000Z',
      ],
    ],
    [
      'updates a plugin that opens all of its paths',
      OPENING_UPDATE,
      [`+signals         ${PLUGIN}  /**  anybody  closed by the gate`],
    ],
  ])(
    'that %s lets somebody do more, which the diff alone shows',
    async (_, pull, lines) => {
      expect(await diffOf(pull)).toEqual(lines);
    },
  );

  it.each<[string, PullRequest, string[]]>([
    [
      'moves rules, and writes a comment',
      {
        production: [
          `${RULE}\n      - { plugin: hello, path: /health, reason: load balancers }`,
          `- { plugin: hello, path: /health, reason: load balancers }\n      # GitHub\n      ${RULE}`,
        ],
        files: { 'README.md': 'Our portal\n' },
      },
      [],
    ],
    [
      'updates a plugin that opens nothing',
      { code: `${NOTHING_OPEN}\nrouter.get('/health', handler);` },
      [],
    ],
    [
      'removes a rule, and gives the token less time',
      {
        production: [
          `${LIMIT}]\n    allow:\n      ${RULE}`,
          `${LIMIT.replace(', until: 2998-01-01', ', until: 2997-01-01')}]\n    allow:`,
        ],
      },
      [
        '-public          POST  /api/hello/http/github',
        '-external token  ci  GET   /api/search/query  until 2998-01-01T00:00:00.000Z',
        '+external token  ci  GET   /api/search/query  until 2997-01-01T00:00:00.000Z',
      ],
    ],
    [
      'closes another plugin, and needs the cookie from this site only',
      {
        production: [
          'closed: [catalog]',
          'closed: [catalog, scaffolder]\n    cookie: { sameSite: strict }',
        ],
      },
      [
        '-power           cookie  token, SameSite=lax, not Secure, this host, 900 seconds at most  with NODE_ENV=development',
        '-power           cookie  token, SameSite=lax, not Secure, this host, as long as the token',
        '+power           cookie  token, SameSite=strict, not Secure, this host, 900 seconds at most  with NODE_ENV=development',
        '+power           cookie  token, SameSite=strict, not Secure, this host, as long as the token',
        '+closed          scaffolder',
      ],
    ],
  ])(
    'that %s lets nobody do more, which the diff alone shows',
    async (_, pull, lines) => {
      expect((await diffOf(pull)).sort()).toEqual(lines.sort());
    },
  );
});

describe('the report of two checkouts of one commit', () => {
  it('has the same bytes, wherever, whenever and with whatever environment it is written', async () => {
    const written = async (checkout: string, env = {}) => {
      const [, args] = writeReport.split(API_GATE);
      const cwd = path.join(checkout, 'packages/backend');
      const { code } = await runCliIn(args.trim().split(' '), { cwd, env });
      expect(code).toBe(0);
      return readFileSync(path.join(checkout, REPORT), 'utf8');
    };
    const one = await written(checkoutOf(OPENING_UPDATE));
    const deep = path.join(folderWith({}), 'another/folder/app');
    mkdirSync(path.dirname(deep), { recursive: true });
    git('/', 'clone', '--quiet', origin, deep);
    install(deep, codeOf('signals', '/'));
    // The plugin of the repository is built here, and not there.
    writeInto(deep, {
      'plugins/own-backend/dist/index.cjs.js': codeOf('own', '/count'),
      'app-config.local.yaml': 'auth: { apiGate: { mode: report-only } }\n',
    });
    const later = jest
      .spyOn(Date, 'now')
      .mockReturnValue(Date.now() + 400 * 24 * 3_600_000);
    for (const NODE_ENV of ['development', 'production']) {
      const env = {
        NODE_ENV,
        CI_TOKEN: 'a-secret',
        APP_CONFIG_auth_apiGate_mode: 'report-only',
      };
      expect(await written(deep, env)).toBe(one);
    }
    later.mockRestore();
    expect(one).toContain(`\nsignals         ${PLUGIN}  /**  anybody`);
    expect(one).not.toContain('/count');
  });
});

describeWithBash('[P103] the workflow of docs/ci.md', () => {
  const STALE = `${REPORT} is not what these files open: run api-gate report --config ../../app-config.yaml --config ../../app-config.production.yaml --packages . --out ../../${REPORT}, and commit the file`;

  it('passes for a report that is up to date, with an update that opens nothing', async () => {
    const checkout = checkoutOf({ code: `${NOTHING_OPEN}// a new version` });
    expect(await runJob(checkout)).toMatchObject({ code: 0 });
  });

  it.each<[string, PullRequest, string]>([
    ['a rule', ADDS_RULE, '+ public          GET   /api/proxy/demo'],
    [
      'an update that opens a path',
      OPENING_UPDATE,
      `+ signals         ${PLUGIN}  /**  anybody  closed by the gate`,
    ],
  ])(
    'fails for %s without its line, and passes once its command has run',
    async (_, pull, line) => {
      const checkout = checkoutOf(pull);
      const { code, output } = await runJob(checkout);
      expect(output.split('\n')).toContain(line);
      expect(output).toContain(STALE);
      expect(code).toBe(1);
      const [, command] = output.match(/: run (api-gate report [^,]+),/)!;
      const fixed = [`yarn --cwd packages/backend ${command}`, ...steps];
      expect(await runJob(checkout, fixed)).toMatchObject({ code: 0 });
    },
  );

  it('fails for a report that is deleted', async () => {
    const checkout = checkoutOf({});
    rmSync(path.join(checkout, REPORT));
    const { code, output } = await runJob(checkout);
    expect(output).toContain(STALE);
    expect(code).toBe(1);
  });

  it('fails for a wrong value, at its line', async () => {
    const checkout = checkoutOf({ production: ['/health', 'health'] });
    const { code, output } = await runJob(checkout);
    expect(output).toMatch(
      /::error file=app-config.production.yaml,line=8,.*path must be text/,
    );
    expect(code).toBe(2);
  });

  it('has a veto for a repository without code owners', async () => {
    const [veto] = codeIn(
      readDocument('docs/ci.md').text.match(/^Without code owners.*$/m)![0],
    );
    const command = veto.replace('origin/main', 'main');
    const checkout = checkoutOf(ADDS_RULE);
    await runCommand(writeReport, checkout);
    expect(await runJob(checkout, [command])).toEqual({
      code: 0,
      output: '+public          GET   /api/proxy/demo\n',
    });
  });

  it('has code owners for files that are there', () => {
    const files = [...codeOwners.matchAll(/^\/(\S+) +@/gm)];
    expect(files).toHaveLength(4);
    for (const [, file] of files) {
      expect([file, existsSync(path.join(origin, file))]).toEqual([file, true]);
    }
  });
});

describeWithBash('the step after a deployment of docs/ci.md', () => {
  const [step] = blocksAfter('docs/ci.md', 'After each deployment', 'sh');

  it.each([
    [true, 0, 'The API gate is in front of this Backstage'],
    [false, 1, 'The API gate is not in front of this Backstage'],
  ])('with the gate: %s', async (withGate, expected, line) => {
    const backend = await startBackend({
      withGate,
      features: ['hello', 'catalog'].map(id => recordingPlugin(id).feature),
      config: {
        auth: {
          providers: { guest: { dangerouslyAllowOutsideDevelopment: false } },
          apiGate: { ...parse(PRODUCTION).auth.apiGate, tokens: [] },
        },
      },
    });
    const { code, output } = await runJob(origin, [
      step.replace('https://backstage.example.com', backend.url),
    ]);
    await backend.stop();
    expect(output).toContain(line);
    expect(code).toBe(expected);
  });
});
