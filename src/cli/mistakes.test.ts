import { readDocument } from '../__tests__/__testUtils__/documents';
import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';

jest.setTimeout(60_000);

const generated = (name: string) =>
  readDocument(`src/__tests__/__testUtils__/createApp/${name}`).text;

/** Files of a generated app, with a block of the gate where production reads it. */
const APP = {
  'package.json': '{"name":"root","workspaces":["packages/*"]}',
  'packages/backend/package.json': '{"name":"backend"}',
  'app-config.yaml': generated('app-config.yaml').replace(
    'backend:\n',
    'backend:\n  auth: { externalAccess: [{ type: static, options: { token: of-a-test, subject: ci-deploy } }] }\n',
  ),
  'app-config.production.yaml': `${generated(
    'app-config.production.yaml',
  ).replace(/^auth:[^]*?\ncatalog:/m, 'catalog:')}auth:
  apiGate:
    allow:
      - { plugin: hello, path: /health }
    closed: [catalog]
`,
};
const BLOCK = 'app-config.production.yaml';
const GATE = '  apiGate:\n';

/** The options of the pages. */
const FILES = ['app-config.yaml', BLOCK].flatMap(name => [
  '--config',
  `../../${name}`,
]);

type Mistake = [
  what: string,
  change: [from: string, to: string],
  args: string[],
  line: RegExp,
  code: number,
];

/** Mistakes of somebody who is tired: each has a line that says what to write. */
const MISTAKES: Mistake[] = [
  [
    'the block is not indented below auth',
    ['auth:\n  apiGate:', 'apiGate:'],
    ['check', ...FILES],
    /production\.yaml:\d+: apiGate is not known: write auth\.apiGate, which is the key apiGate below the key auth$/,
    2,
  ],
  [
    'the settings are not indented below apiGate',
    [GATE, `${GATE}  mode: report-only\n  x:\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.mode is a setting of the gate at the wrong place: move it below auth\.apiGate$/,
    2,
  ],
  [
    'the file has a second auth, as the block of init was pasted',
    ['auth:\n', 'auth:\n  session: {}\nauth:\n'],
    ['check', ...FILES],
    /production\.yaml:\d+: Map keys must be unique .*: write this key once, and all that belongs to it below; each entry of a list begins with "- "$/,
    2,
  ],
  [
    'a setting is indented deeper than those beside it',
    [GATE, `${GATE}    mode: report-only\n      until: 2999-01-01\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: .*: compare the indentation with that of the lines above; each entry of a list begins with "- ", and a space follows the colon of a key$/,
    2,
  ],
  [
    'the second rule has no dash',
    [
      '      - { plugin: hello, path: /health }\n',
      '      - plugin: hello\n        path: /health\n      plugin: badges\n      path: /entity\n',
    ],
    ['check', ...FILES],
    /production\.yaml:\d+: All mapping items must start at the same column .*; each entry of a list begins with "- ", and a space follows the colon of a key$/,
    2,
  ],
  [
    'a colon has no space behind it',
    ['{ plugin: hello, path: /health }', 'plugin:hello\n        path: /health'],
    ['check', ...FILES],
    /production\.yaml:\d+: .* and a space follows the colon of a key$/,
    2,
  ],
  [
    'the key of the gate is misspelt',
    ['apiGate', 'apiGaet'],
    ['check', ...FILES],
    /auth\.apiGate is in none of the files read: correct auth\.apiGaet, or give --config /,
    1,
  ],
  [
    'the key of a setting is misspelt',
    ['allow:', 'alow:'],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.alow is not known \(did you mean allow\?\): use /,
    2,
  ],
  [
    'the file of production is not given',
    ['', ''],
    ['check'],
    /production\.yaml has auth\.apiGate, and the command has not read it: give --config for each file that the backend reads, in its order$/,
    2,
  ],
  [
    'a file is named from the root, and the command runs in the workspace',
    ['', ''],
    ['check', '--config', 'app-config.yaml'],
    /is not there: write --config \.\.\/\.\.\/app-config\.yaml, which is relative to the working directory$/,
    2,
  ],
  [
    'the name of a file is misspelt',
    ['', ''],
    ['check', '--config', '../../app-config.prodution.yaml'],
    /is not there \(did you mean app-config\.production\.yaml\?\)$/,
    2,
  ],
  [
    'the files are in the wrong order',
    ['', ''],
    [
      ...['check', '--config', `../../${BLOCK}`],
      ...['--config', '../../app-config.yaml'],
    ],
    /^\.\.\/\.\.\/app-config\.yaml is read last, and overrides the others: give it first, as the backend has it$/,
    0,
  ],
  [
    'the subject of a question is misspelt',
    ['', ''],
    [
      ...['explain', ...FILES, '--subject', 'ci_deploy'],
      'GET /api/catalog/entities',
    ],
    /No external token can have the subject ci_deploy \(did you mean ci-deploy\?\): compare it with backend\.auth\.externalAccess$/,
    2,
  ],
  [
    'the subject of a question begins as that of an issuer does',
    ['', ''],
    [
      ...['explain', ...FILES, '--subject', 'external:ci-deploy'],
      'GET /api/catalog/entities',
    ],
    /No external token can have the subject external:ci-deploy \(did you mean ci-deploy\?\): compare it with backend\.auth\.externalAccess$/,
    2,
  ],
  [
    'the name of a command is misspelt',
    ['', ''],
    ['chekc', ...FILES],
    /^error: chekc is no command \(did you mean check\?\): use init, check, /,
    2,
  ],
  [
    'the name of an option is misspelt',
    ['', ''],
    ['check', '--confg', `../../${BLOCK}`],
    /^error: --confg is an unknown option \(did you mean --config\?\): api-gate check --help lists the options$/,
    2,
  ],
  [
    'the path of a question lacks its beginning',
    ['', ''],
    ['explain', ...FILES, 'GET catalog/entities'],
    /^error: Write one request in quotes, .*, such as 'GET \/api\/catalog\/entities'$/,
    2,
  ],
  [
    'the method of a question is in lower case',
    ['', ''],
    ['explain', ...FILES, 'get /api/catalog/entities'],
    /^error: Write one request in quotes, with its method in upper case, such as 'GET \/api\/catalog\/entities'$/,
    2,
  ],
  [
    'the request of a question lacks its method, and its address is that of a browser',
    ['', ''],
    ['explain', ...FILES, 'https://portal.example.com/api/catalog/entities'],
    /^error: Write one request in quotes, .*, such as 'GET \/api\/catalog\/entities'$/,
    2,
  ],
];

describe('a mistake has a line that says what to write', () => {
  it.each(MISTAKES)('%s', async (_what, [from, to], args, line, code) => {
    expect(APP[BLOCK]).toContain(from);
    const files = { ...APP, [BLOCK]: APP[BLOCK].replace(from, () => to) };
    const { stdout, stderr, ...result } = await runCliIn(args, {
      cwd: `${folderWith(files)}/packages/backend`,
    });
    const lines = `${stderr}${stdout}`.split('\n');
    expect(lines).toContainEqual(expect.stringMatching(line));
    expect(result.code).toBe(code);
  });

  it('is shown for each entry in one run, the first one of each', async () => {
    const cwd = folderWith({
      'app-config.yaml': `backend:
  baseUrl: https://backstage.example.com
  auth: { externalAccess: [{ type: static, options: { token: t, subject: 'user:a' } }] }
auth:
  apiGate:
    modus: enforce
    mode: enforced
    allow:
      - { plugin: Hello, path: health }
      - { plugin: hello, path: /health }
      - { plugin: hello, path: '/a//b' }
    closed: [Catalog, hello]
    credentialHeader: Authorization
    foreignAuthorization: [{ plugin: auth, path: /a }]
    tokens:
      - { subject: ci, only: all }
      - { subject: 'user:a' }
    cookie: { sameSite: Lax, name: 'a b' }
    signOut: { scope: all }
    operators: [jane, 'user:default/jane', joe]
    audit: { clientAddress: yes }
    findings: { accept: [{ id: x }] }
`,
    });
    const at = (stderr: string) =>
      [...stderr.matchAll(/^error: app-config\.yaml:(\d+): (\S+)/gm)].map(
        ([, line, path]) => `${line} ${path}`,
      );
    for (const args of [['check'], ['report'], ['check', '--report', 'x']]) {
      const { code, stdout, stderr } = await runCliIn(args, { cwd });
      expect(at(stderr)).toEqual([
        '3 backend.auth.externalAccess[0].options.subject',
        '6 auth.apiGate.modus',
        '7 auth.apiGate.mode',
        '9 auth.apiGate.allow[0].plugin',
        '11 auth.apiGate.allow[2].path',
        '12 auth.apiGate.closed[0]',
        '13 auth.apiGate.credentialHeader',
        '14 auth.apiGate.foreignAuthorization[0].plugin',
        '16 auth.apiGate.tokens[0].subject',
        '17 auth.apiGate.tokens[1].subject',
        '18 auth.apiGate.cookie.sameSite',
        '19 auth.apiGate.signOut.scope',
        '20 auth.apiGate.operators[0]',
        '20 auth.apiGate.operators[2]',
        '21 auth.apiGate.audit.clientAddress',
        '22 auth.apiGate.findings.accept[0].id',
      ]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    }
    const { stdout } = await runCliIn(['check', '--json'], { cwd });
    expect(JSON.parse(stdout).problems).toHaveLength(16);
  });

  it('is shown for each rule that another setting forbids', async () => {
    const cwd = folderWith({
      'app-config.yaml': `backend: { baseUrl: https://backstage.example.com }
auth:
  apiGate:
    allow:
      - { plugin: catalog, path: /a }
      - { plugin: proxy, path: '/argocd/**' }
      - { plugin: catalog, path: /b }
    closed: [catalog]
    foreignAuthorization: [{ plugin: proxy, path: '/argocd/**' }]
`,
    });
    const { code, stderr } = await runCliIn(['check'], { cwd });
    expect(stderr.match(/^error: \S+ \S+/gm)).toEqual([
      'error: app-config.yaml:5: auth.apiGate.allow[0]',
      'error: app-config.yaml:7: auth.apiGate.allow[2]',
      'error: app-config.yaml:9: auth.apiGate.foreignAuthorization[0]',
    ]);
    expect(code).toBe(2);
  });

  it('has none of these lines without a mistake', async () => {
    const { stdout, stderr } = await runCliIn(['check', ...FILES], {
      cwd: `${folderWith(APP)}/packages/backend`,
    });
    for (const printed of `${stderr}${stdout}`.split('\n')) {
      expect(MISTAKES.filter(([, , , line]) => line.test(printed))).toEqual([]);
    }
  });
});
