import { escapeRegExp } from 'lodash';
import { readDocument } from '../__tests__/__testUtils__/documents';
import { folderWith, runCliIn } from '../__tests__/__testUtils__/runCli';
import { serve } from '../__tests__/__testUtils__/serve';

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
    expect:
      - { plugin: catalog, is: closed }
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
    'a rule is no item of the list',
    ['      - { plugin: hello,', '      { plugin: hello,'],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.allow must be a list of rules, each with a plugin and a path: begin each entry with "- ", in a line of its own$/,
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
    'the operators are no list',
    [GATE, `${GATE}    operators: group:default/platform\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.operators must be a list of texts: begin each entry with "- ", in a line of its own$/,
    2,
  ],
  [
    'the mode is misspelt',
    [GATE, `${GATE}    mode: enforced\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.mode must be one of enforce, report-only \(did you mean enforce\?\)$/,
    2,
  ],
  [
    'a method of a rule is misspelt',
    ['path: /health', 'path: /health, methods: [PSOT]'],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\]\.methods\[0\] must be a method that a rule can name, such as GET or POST \(did you mean POST\?\)$/,
    2,
  ],
  [
    'the method of an expectation is misspelt',
    ['plugin: catalog, is', 'request: GTE /api/catalog/x, is'],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.expect\[0\]\.request must begin with a method in upper case, such as GET, POST or WEBSOCKET \(did you mean GET\?\)$/,
    2,
  ],
  [
    'the path of a rule is a variable that a job does not have',
    ['path: /health', "path: '${HEALTH_PATH}'"],
    ['check', ...FILES, '--mock-env'],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\]\.path must be text .*: the variable HEALTH_PATH is not set, so set it, give it a default such as \$\{HEALTH_PATH:-…\}, or write the value itself$/,
    2,
  ],
  [
    'the methods of a rule are a variable, which is a text',
    ['path: /health', "path: /health, methods: '${HEALTH_METHODS}'"],
    ['check', ...FILES, '--mock-env'],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\]\.methods must be a list .*: the variable HEALTH_METHODS is not set, .* or write the value itself$/,
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
    'the key of a rule is misspelt',
    ['path:', 'pathh:'],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\]\.pathh is not known \(did you mean path\?\): use /,
    2,
  ],
  [
    'the file of production is not given',
    ['', ''],
    ['check'],
    /production\.yaml: this file has auth\.apiGate, .*: give each file that the backend reads, in its order, such as --config \.\.\/\.\.\/app-config\.yaml --config \.\.\/\.\.\/app-config\.production\.yaml$/,
    2,
  ],
  [
    'a file is named from the root, and the command runs in the workspace',
    ['', ''],
    ['check', '--config', 'app-config.yaml'],
    /does not exist: write --config \.\.\/\.\.\/app-config\.yaml, which is relative to the working directory$/,
    2,
  ],
  [
    'the name of a file is misspelt',
    ['', ''],
    ['check', '--config', '../../app-config.prodution.yaml'],
    /does not exist \(did you mean app-config\.production\.yaml\?\)$/,
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
    'the plugin of a rule is misspelt',
    ['plugin: hello', 'plugin: helo'],
    ['check', ...FILES, '--policy', 'POLICY', '--fail-on', 'findings'],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\] \(GET \/api\/helo\/health\): names the plugin helo, which is not installed in this backend \(did you mean hello\?\): correct the id/,
    1,
  ],
  [
    'the plugin of an expectation is misspelt',
    ['plugin: catalog', 'plugin: catalgo'],
    ['check', ...FILES, '--policy', 'POLICY'],
    /production\.yaml:\d+: auth\.apiGate\.expect\[0\]\.plugin names the plugin catalgo, .* \(did you mean catalog\?\): correct the id/,
    2,
  ],
  [
    'the plugin of a rule that an expectation needs is misspelt',
    [
      '{ plugin: catalog, is: closed }',
      '{ request: GET /api/helo/health, is: public }',
    ],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.expect\[0\]: .* no rule of auth\.apiGate\.allow names it: add one, or correct the plugin of one$/,
    1,
  ],
  ...(
    [
      [
        'the limits of a token',
        'tokens: [{ subject: ci-deploy, only: [{ plugin: catlog, path: /x }] }]',
        'tokens[0].only[0]',
      ],
    ] as const
  ).map(([what, settings, at]): Mistake => [
    `the plugin of ${what} is misspelt`,
    [GATE, `${GATE}    ${settings}\n`],
    ['check', ...FILES, '--policy', 'POLICY'],
    new RegExp(
      `production\\.yaml:\\d+: auth\\.apiGate\\.${escapeRegExp(at)} \\(.*\\): names the plugin catlog, which is not installed in this backend \\(did you mean catalog\\?\\): correct the id, or accept this finding if it is right, `,
    ),
    0,
  ]),
  [
    'the plugin of a rule has the name of its package',
    ['plugin: hello', 'plugin: backstage-plugin-hello-backend'],
    ['check', ...FILES, '--policy', 'POLICY'],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\] \(.*\): names the plugin backstage-plugin-hello-backend, which is not installed in this backend \(did you mean hello\?\): correct the id/,
    0,
  ],
  [
    'the plugin of a rule has the name of its package with its scope',
    ['plugin: hello', "plugin: '@internal/plugin-hello-backend'"],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\]\.plugin must be one plugin id in lower case, such as hello$/,
    2,
  ],
  [
    'a finding is accepted by its id alone',
    [GATE, `${GATE}    findings: { accept: token-without-end }\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.findings\.accept must be a list of objects, each with an id, a place \(at\) and a reason: begin each entry with "- ", in a line of its own$/,
    2,
  ],
  [
    'an attribute of the cookie is in upper case',
    [GATE, `${GATE}    cookie: { sameSite: LAX }\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.cookie\.sameSite must be one of strict, lax, none \(did you mean lax\?\)$/,
    2,
  ],
  [
    'the plugin of a question is misspelt',
    ['', ''],
    ['explain', ...FILES, '--policy', 'POLICY', 'GET /api/catalgo/entities'],
    /^The plugin catalgo is not installed \(did you mean catalog\?\): a misspelling/,
    0,
  ],
  [
    'the path of a rule has the plugin in it',
    ['path: /health', 'path: /api/hello/health'],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.allow\[0\]\.path is relative to the plugin: leave out the leading \/api\/hello$/,
    2,
  ],
  [
    'the subject of a token is misspelt',
    [
      GATE,
      `${GATE}    tokens: [{ subject: ci-deplyo, only: all, until: 2999-01-01 }]\n`,
    ],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.tokens\[0\]\.subject must be one that an entry of backend\.auth\.externalAccess has \(did you mean ci-deploy\?\): /,
    2,
  ],
  [
    'the subject of a static token begins as that of an issuer does',
    [
      GATE,
      `${GATE}    tokens: [{ subject: 'external:ci-deploy', only: all }]\n`,
    ],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.tokens\[0\]\.subject must be one that an entry of backend\.auth\.externalAccess has \(did you mean ci-deploy\?\): /,
    2,
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
    'a variable is not set',
    [GATE, `${GATE}    mode: '\${GATE_MODE}'\n`],
    ['check', ...FILES],
    /^Variables that are not set are left out of auth\.apiGate\.mode: set them as the backend has them, or give --mock-env$/,
    0,
  ],
  [
    'a variable decides, and a job does not have it',
    [GATE, `${GATE}    mode: '\${GATE_MODE}'\n`],
    ['check', ...FILES, '--mock-env'],
    /production\.yaml:\d+: auth\.apiGate\.mode is not known, .*: write both values, or set the variable as the backend has it$/,
    1,
  ],
  [
    'the variable with the token is not set',
    ['', ''],
    ['check', ...FILES, '--policy', 'POLICY', '--token-env', 'GATE_TOKEN'],
    /^error: The variable GATE_TOKEN that --token-env names is not set: set it to the token, or name another one$/,
    2,
  ],
  [
    'an operator has no kind and namespace',
    [GATE, `${GATE}    operators: [jane]\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.operators\[0\] must be a full entity reference, such as group:default\/platform or user:default\/jane$/,
    2,
  ],
  [
    'the end of report-only is in the form of another country',
    [GATE, `${GATE}    mode: report-only\n    until: 31.12.2999\n`],
    ['check', ...FILES],
    /production\.yaml:\d+: auth\.apiGate\.until must be a date such as 2026-12-31/,
    2,
  ],
  [
    'the name of a command is misspelt',
    ['', ''],
    ['chekc', ...FILES],
    /^error: chekc is no command \(did you mean check\?\): use check, diff, /,
    2,
  ],
  [
    'the name of an option is misspelt',
    ['', ''],
    ['check', '--confg', `../../${BLOCK}`],
    /^error: --confg is no option \(did you mean --config\?\): api-gate check --help lists the options$/,
    2,
  ],
  [
    'the path of a question lacks its beginning',
    ['', ''],
    ['explain', ...FILES, 'GET catalog/entities'],
    /^A path begins with a slash: ask about 'GET \/api\/catalog\/entities'$/,
    0,
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
    /: ask about 'GET \/api\/catalog\/entities'$/,
    0,
  ],
];

describe('a mistake has a line that says what to write', () => {
  let policy: string;
  beforeAll(async () => {
    ({ url: policy } = await serve((_req, res) =>
      res.end(
        '{"allow":[],"closed":[],"openedInCode":[],"unknown":[],"installed":["catalog","hello","scaffolder"]}',
      ),
    ));
  });

  it.each(MISTAKES)('%s', async (_what, [from, to], args, line, code) => {
    expect(APP[BLOCK]).toContain(from);
    const files = { ...APP, [BLOCK]: APP[BLOCK].replace(from, () => to) };
    const { stdout, stderr, ...result } = await runCliIn(
      args.map(arg => (arg === 'POLICY' ? policy : arg)),
      { cwd: `${folderWith(files)}/packages/backend` },
    );
    const lines = `${stderr}${stdout}`.split('\n');
    expect(lines).toContainEqual(expect.stringMatching(line));
    expect(result.code).toBe(code);
  });

  it('has none of these lines without a mistake', async () => {
    const { stdout, stderr } = await runCliIn(
      ['check', ...FILES, '--policy', policy],
      { cwd: `${folderWith(APP)}/packages/backend` },
    );
    for (const printed of `${stderr}${stdout}`.split('\n')) {
      expect(MISTAKES.filter(([, , , line]) => line.test(printed))).toEqual([]);
    }
  });
});
