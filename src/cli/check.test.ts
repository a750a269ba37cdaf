import { join } from 'node:path';
import { root } from '../__tests__/__testUtils__/documents';
import {
  folderWith,
  runCliHere,
  runCliIn,
} from '../__tests__/__testUtils__/runCli';
import { serve } from '../__tests__/__testUtils__/serve';

jest.setTimeout(60_000);

const BASE = 'backend:\n  baseUrl: http://backstage.example.com\n';
const GATE = `${BASE}auth:
  apiGate:
    allow:
      - { plugin: hello, path: /hook, methods: [POST], reason: our module signs }
      - plugin: catalog
        path: /entities/**
    expect:
      - { request: POST /api/hello/hook, is: public }
      - { request: GET /api/catalog/entities, is: closed }
`;

/** The routes that are public without a rule. */
const BUILT_IN = [
  'Public without a rule:',
  '  GET /api/app/**  (the frontend, except /.backstage/auth/v1/cookie)',
  '  GET,POST,PUT,PATCH,DELETE /api/auth/**  (sign-in, except /api-gate and /.backstage/auth/v1/cookie)',
  '  GET /api/*/.backstage/auth/v1/jwks.json  (keys that verify tokens)',
  '  DELETE /api/*/.backstage/auth/v1/cookie  (sign-out)',
];

/** Runs the command in a folder with the files, or with `app-config.yaml` alone, and named files. */
const check = (
  files: Record<string, string> | string,
  args: string[] = [],
  env: Record<string, string> = {},
) =>
  runCliIn(['check', ...args], {
    cwd: folderWith(
      typeof files === 'string' ? { 'app-config.yaml': files } : files,
    ),
    env,
  });

describe('api-gate check', () => {
  it.each([
    [['--scan', 'opens.json'], 'give --policy with --scan'],
    [
      ['--scan', 'nowhere', '--policy', 'http://localhost:1'],
      'nowhere/opens.json is no output of api-gate scan --json',
    ],
  ])(
    'exits with 2 for a scan that it can not compare: %j',
    async (args, text) => {
      const { code, stdout, stderr } = await check(GATE, args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(text);
    },
  );

  it('exits with 0 where every expectation holds, and prints the file and line of each rule', async () => {
    const { code, stdout, stderr } = await check(GATE);
    expect(stderr).toBe('Read app-config.yaml\nauth.apiGate.mode is enforce\n');
    expect(stdout.split('\n')).toEqual([
      'Public by rule:',
      '  app-config.yaml:6  auth.apiGate.allow[0]  POST /api/hello/hook  (our module signs)',
      '  app-config.yaml:7  auth.apiGate.allow[1]  GET /api/catalog/entities/**',
      ...BUILT_IN,
      'Lists, by file:',
      '  auth.apiGate.allow: 2 of app-config.yaml',
      '  auth.apiGate.expect: 2 of app-config.yaml',
      'Without --policy, check can miss a misspelt plugin in allow, only and expect, and does not list the paths that plugins declare open and the gate closes',
      'The page of the running gate lists these paths: http://backstage.example.com/api/auth/api-gate/',
      'warning: app-config.yaml:6: auth.apiGate.allow[0] (POST /api/hello/hook): makes POST public: leave only the methods that are needed, and accept this finding if the handler checks who calls [rule-changes-data]',
      '2 of 2 expectations hold, 1 finding',
      '',
    ]);
    expect(code).toBe(0);
  });

  it('[P34] exits with 1 for findings with --fail-on findings, unless they are accepted', async () => {
    const args = ['--fail-on', 'findings'];
    const accepting = `${GATE}    findings: { accept: [{ id: rule-changes-data, at: 'auth.apiGate.allow[0] (POST /api/hello/hook)', reason: demo }] }\n`;
    for (const [text, code] of [
      [GATE, 1],
      [`${BASE}auth: { apiGate: {} }\n`, 0],
    ] as const) {
      expect((await check(text, args)).code).toBe(code);
    }
    const accepted = await check(accepting, [
      ...args,
      ...['--format', 'github'],
    ]);
    expect(accepted.code).toBe(0);
    expect(accepted.stdout).toMatch(
      /\naccepted: auth\.apiGate\.allow\[0\] .* \[rule-changes-data\], accepted \(demo\)\n2 of 2 expectations hold, 0 findings\n/,
    );
  });

  it('[P82] prints the limits of external tokens, and leaves them out where a subject is a variable that is not set', async () => {
    const withSubject = (subject: string) => `${BASE}
  auth: { externalAccess: [{ type: static, options: { token: '\${TOKEN}', subject: ${subject} } }] }
auth:
  apiGate: { tokens: [{ subject: ci, only: [{ plugin: a, path: /x }], until: 2999-01-01, reason: demo }] }
`;
    const known = await check(withSubject('ci'), ['--mock-env']);
    expect(known.stdout).toContain(
      'Limits of external tokens:\n  app-config.yaml:6  auth.apiGate.tokens[0]  ci: GET /api/a/x  (demo)  (until 2999-01-01T00:00:00.000Z)\n',
    );
    const unknown = await check(withSubject("'\${CI}'"), ['--mock-env']);
    expect(unknown.stdout).toMatch(
      /Not checked, since they hold variables that are not set: .*auth\.apiGate\.tokens/,
    );
    expect([known.code, unknown.code]).toEqual([0, 0]);
    const misspelt = await check(withSubject('cj'), ['--mock-env']);
    expect([misspelt.code, misspelt.stderr]).toEqual([
      2,
      expect.stringMatching(
        /app-config\.yaml:\d+: auth\.apiGate\.tokens\[0\]\.subject must be one that .* such as cj/,
      ),
    ]);
  });

  it('takes variables that are not set for no finding', async () => {
    const text = `app: { baseUrl: '\${APP}' }
backend:
  baseUrl: '\${BASE}'
  cors: { origin: ['https://a.example.com', '\${APP}'] }
  auth: { externalAccess: [{ type: static, options: { token: '\${TOKEN}', subject: a }, accessRestrictions: [{ plugin: a }] }] }
auth:
  providers: { gitlab: { production: { audience: '\${GITLAB}', signIn: { resolvers: [{ resolver: emailMatchingUserEntityProfileEmail, dangerouslyAllowSignInWithoutUserInCatalog: true }] } } } }
  apiGate: { tokens: [{ subject: a, only: all, until: 2999-01-01 }], allow: [{ plugin: events, path: /http/github, methods: [POST] }] }
events: { modules: { github: { webhookSecret: '\${SECRET}' } } }
`;
    const args = ['--mock-env', '--fail-on', 'findings'];
    const { code, stdout } = await check(text, args);
    expect(stdout).toMatch(/ 0 findings\n$/);
    expect(code).toBe(0);
    // Neither may they decide that a default or an end is missing.
    const limits = `${BASE}
  auth: { externalAccess: [{ type: jwks, options: { url: 'https://a', subjectPrefix: e }, accessRestrictions: [{ plugin: a }] }, { type: static, options: { token: x, subject: a }, accessRestrictions: [{ plugin: a }] }] }
auth: { apiGate: { tokens: [{ subject: a, only: all, until: '\${END}' }] } }
`;
    expect((await check(limits, args)).stdout).toMatch(/ 0 findings\n$/);
    const none = limits.replace(/tokens: .*\]/, '');
    expect((await check(none, args)).stdout).toMatch(/ 2 findings\n$/);
  });

  it('asks the backend of --live too, and exits with 1 where the gate is missing', async () => {
    const { url } = await serve((_req, res) => res.writeHead(404).end());
    const args = ['--live', url, '--times', '1'];
    const { code, stdout } = await check(BASE, args, {
      APP_CONFIG_auth_apiGate_allow: '[{"plugin":"one","path":"/a"}]',
    });
    expect(stdout).toContain(
      'Public by rule:\n  auth.apiGate.allow[0]  GET /api/one/a\n',
    );
    expect(stdout).toContain(
      '  auth.apiGate.allow: 1 of env\nWithout --policy, check can miss a misspelt plugin in allow, only and expect, and does not list the paths that plugins declare open and the gate closes\n',
    );
    expect(stdout).toContain('\nNo expectation is asked where the gate may');
    expect(code).toBe(1);
  });

  it('[P37] prints the ends of rules, and fails where an expectation needs it', async () => {
    const withEnd = (until: string) =>
      GATE.replace('/entities/**', `/entities/**\n        until: ${until}`);
    const ended = await check(
      withEnd('2001-01-01').replace(
        'GET /api/catalog/entities, is: closed',
        'GET /api/catalog/entities/a, is: public',
      ),
    );
    expect(ended.stdout).toContain(
      'error: app-config.yaml:12: auth.apiGate.expect[1]: GET /api/catalog/entities/a should be public, and its rule auth.apiGate.allow[1] (/entities/**) has ended: write a later until, or remove the expectation\n',
    );
    expect(ended.code).toBe(1);
    const far = await check(withEnd('2099-01-01'));
    expect(far.stdout).toContain(
      'GET /api/catalog/entities/**  (until 2099-01-01T00:00:00.000Z)\n',
    );
    expect(far.stdout).toContain('2 of 2 expectations hold, 1 finding\n');
    expect(far.code).toBe(0);
  });

  it.each([
    ['expect: []', 'expect: 0 of local.yaml, in place of 2 of app-config.yaml'],
    ['allow: []', undefined],
    ['tokens: []', undefined],
    ['expect: [{ plugin: catalog, is: closed }]', undefined],
  ])(
    'warns where the last file has an empty list in place of one that protects: %s',
    async (list, warned) => {
      const gate = `${BASE}auth:
  apiGate:
    tokens: []
    expect: [{ plugin: catalog, is: closed }, { plugin: search, is: closed }]
    allow: [{ plugin: a, path: /x }]
`;
      const { code, stdout } = await check(
        {
          'app-config.yaml': gate,
          'local.yaml': `auth: { apiGate: { ${list} } }`,
        },
        ['--config', 'app-config.yaml', '--config', 'local.yaml'],
      );
      expect(stdout.match(/^warning: .*/gm) ?? []).toEqual(
        warned
          ? [
              `warning: local.yaml:1: auth.apiGate.${warned}: Backstage does not merge lists. Remove the empty list to keep the others`,
            ]
          : [],
      );
      expect(code).toBe(0);
    },
  );

  it('takes no plugin for a misspelt one if it does not know which are installed', async () => {
    // The plugin badge is in the code of this repository. No package has it, and the package of the plugin badges has almost its id.
    const file = join(root, 'app-config.yaml');
    const { code, stdout } = await runCliHere(['check', '--config', file]);
    expect(stdout).toContain('GET /api/badge/status.svg');
    expect(stdout).not.toContain('plugin-not-installed');
    expect(code).toBe(0);
  });

  it('prints no limit of a token as in force in report-only', async () => {
    const gate = (mode: string) =>
      check(`${BASE}  auth: { externalAccess: [{ type: static, options: { token: of-a-test, subject: ci } }] }
auth: { apiGate: { mode: ${mode}, tokens: [{ subject: ci, only: all, until: 2026-01-01 }] } }
`);
    const line =
      '  app-config.yaml:4  auth.apiGate.tokens[0]  ci: what accessRestrictions allow  (ended at 2026-01-01T00:00:00.000Z)\n';
    expect((await gate('enforce')).stdout).toContain(
      `\nLimits of external tokens:\n${line}`,
    );
    expect((await gate('report-only')).stdout).toContain(
      `\nLimits of external tokens once you enforce:\n${line}`,
    );
  });

  it('exits with 1 where expectations do not hold, and prints all of them', async () => {
    const text = GATE.replace('/entities/**', '/entities');
    const { code, stdout } = await check(
      text.replace('is: public', 'is: closed'),
    );
    expect(stdout).toContain(
      'error: app-config.yaml:10: auth.apiGate.expect[0]: POST /api/hello/hook should be closed, and is public by auth.apiGate.allow[0] (/hook)\n' +
        'error: app-config.yaml:11: auth.apiGate.expect[1]: GET /api/catalog/entities should be closed, and is public by auth.apiGate.allow[1] (/entities)\n',
    );
    expect(stdout).toContain('0 of 2 expectations hold');
    expect(code).toBe(1);
  });

  it('fails for a rule that opens anything of a plugin that must be closed, where one request that is closed does not', async () => {
    const closed = `${BASE}auth:
  apiGate:
    allow:
      - { plugin: catalog, path: '/entities/**' }
    expect:
      - { request: GET /api/catalog/entities, is: closed }
`;
    expect((await check(closed)).code).toBe(0);
    const { code, stdout } = await check(
      `${closed}      - { plugin: catalog, is: closed }\n`,
    );
    expect(stdout).toContain(
      'error: app-config.yaml:9: auth.apiGate.expect[1]: the plugin catalog should be closed, and a part of it is public by auth.apiGate.allow[0] (/entities/**)\n1 of 2 expectations hold, ',
    );
    expect(code).toBe(1);
  });

  it('exits with 1 where report-only has ended, since the gate would refuse now', async () => {
    const ending = (until: string) =>
      check(`${GATE}    mode: report-only\n    until: ${until}\n`);
    const { code, stdout } = await ending('2026-01-01');
    expect(stdout).toContain(
      'error: app-config.yaml:13: auth.apiGate.until: has ended report-only at 2026-01-01T00:00:00.000Z, so that the gate enforces: remove auth.apiGate.mode and auth.apiGate.until; to ',
    );
    expect(code).toBe(1);
    expect(await ending('2999-01-01')).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining('error'),
    });
  });

  it('annotates the lines for GitHub', async () => {
    const { code, stdout } = await check(
      GATE.replace('is: closed', 'is: public'),
      ['--format', 'github'],
    );
    expect(stdout).toContain(
      '\n::error file=app-config.yaml,line=11,title=API gate::auth.apiGate.expect[1]: GET /api/catalog/entities should be public, and no rule',
    );
    expect(stdout).toContain(
      '\n::warning file=app-config.yaml,line=6,title=API gate::auth.apiGate.allow[0] (POST /api/hello/hook): makes POST public',
    );
    expect(code).toBe(1);
  });

  it('checks 1,000 rules in less than 2 s', async () => {
    const rules = Array.from(
      { length: 1000 },
      (_, i) =>
        `      - { plugin: plugin-${i % 100}, path: /items/${i}, methods: [POST] }\n`,
    );
    const text = `${BASE}auth:\n  apiGate:\n    allow:\n${rules.join('')}`;
    // Other processes would make the time on the clock longer.
    const before = process.cpuUsage();
    const { stdout } = await check(text);
    const { user, system } = process.cpuUsage(before);
    expect(stdout).toContain(
      '  app-config.yaml:1005  auth.apiGate.allow[999]  POST /api/plugin-99/items/999\n',
    );
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  it('reads the files in the order of the backend', async () => {
    const { code, stdout } = await check(
      {
        'app-config.yaml': GATE,
        'app-config.production.yaml':
          'auth:\n  apiGate:\n    allow:\n      - { plugin: techdocs, path: /static/** }\n    expect: []\n',
      },
      ['app-config.yaml', 'app-config.production.yaml'].flatMap(file => [
        '--config',
        file,
      ]),
    );
    expect(stdout).toContain(
      'app-config.production.yaml:4  auth.apiGate.allow[0]  GET /api/techdocs/static/**',
    );
    expect(code).toBe(0);
  });

  it('reads the default files, includes and the environment', async () => {
    const { stdout, stderr, code } = await check(
      {
        'app-config.yaml': `${BASE}auth:\n  apiGate:\n    allow: { $include: 'rules/gate.yaml#lists.allow' }\n`,
        'rules/gate.yaml':
          'lists:\n  allow:\n    - plugin: ${PLUGIN}\n      path: /a\n    - { plugin: two, path: /b }\n',
      },
      [],
      {
        PLUGIN: 'one',
        APP_CONFIG_auth_apiGate_expect:
          '[{"request":"GET /api/one/a","is":"public"},{"request":"GET /api/two/b","is":"closed"}]',
      },
    );
    expect(stdout).toContain(
      'rules/gate.yaml:3  auth.apiGate.allow[0]  GET /api/one/a',
    );
    expect(stdout).toContain(
      'rules/gate.yaml:5  auth.apiGate.allow[1]  GET /api/two/b',
    );
    expect(stdout).toContain(
      'error: auth.apiGate.expect[1]: GET /api/two/b should be closed',
    );
    expect(stderr).toBe(
      'Read app-config.yaml, variables of the environment (APP_CONFIG_…)\nauth.apiGate.mode is enforce\n',
    );
    expect(code).toBe(1);
  });

  it('needs no variable that is not set with --mock-env', async () => {
    const text = `app:\n  baseUrl: \${APP_URL}\nbackend:\n  baseUrl: \${BASE_URL}\n  database:\n    connection: { password: '\${POSTGRES_PASSWORD}' }\n  auth:\n    externalAccess: [{ type: static, options: { token: '\${TOKEN}', subject: x } }]\n${GATE.replace(BASE, '')}    operators: ['\${OPERATOR}']\n    cookie: { domain: example.com }\n`;
    const { code, stdout } = await check(text, ['--mock-env']);
    expect(stdout).toContain('2 of 2 expectations hold, 4 findings\n');
    expect(stdout).not.toContain('The page of the running gate');
    expect(stdout).toContain(
      'Not checked, since they hold variables that are not set: auth.apiGate.operators, backend.baseUrl, auth.apiGate.cookie, app.baseUrl',
    );
    expect(code).toBe(0);

    const without = await check(text);
    expect(without).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringMatching(
        /^Read app-config\.yaml\nVariables that are not set are left out of auth\.apiGate\.operators: .*\nerror: .*backend\.baseUrl.*: set it, or give --mock-env where it comes from a variable that is not set here\n$/,
      ),
    });
  });

  it('needs the files that are included with --mock-env too', async () => {
    const text = `app: { title: { $file: title.txt } }\n${GATE}`;
    const args = ['--mock-env'];
    const { code, stderr } = await check(text, args);
    expect(stderr).toMatch(/^error: .*title\.txt/);
    expect(code).toBe(2);
    const files = { 'app-config.yaml': text, 'title.txt': 'x' };
    expect((await check(files, args)).code).toBe(0);
  });

  it('looks for variables that are not set without --mock-env too, and reads what a variable with a default names', async () => {
    const text = `app: { title: { $file: '\${TITLE:-title.txt}' } }\n${GATE}`;
    const files = { 'app-config.yaml': text, 'title.txt': 'x' };
    expect(await check(files)).toMatchObject({
      code: 0,
      stderr: 'Read app-config.yaml\nauth.apiGate.mode is enforce\n',
    });
    const unset = `${GATE}    mode: '\${MODE:-report-only}'\n    operators: ['\${OPERATOR}']\n`;
    const { stderr } = await check(unset);
    expect(stderr).toMatch(
      /^Read app-config\.yaml\nVariables that are not set are left out of auth\.apiGate\.operators: .*\nauth\.apiGate\.mode is report-only\n$/,
    );
  });

  it('annotates a value that stops the start for GitHub, and exits with 2', async () => {
    const { code, stdout } = await check(
      GATE.replace('/entities/**', 'entities'),
      ['--format', 'github'],
    );
    expect(stdout).toMatch(
      /\n::error file=app-config.yaml,line=8,title=API gate::auth.apiGate.allow\[1\].path must be text that starts with a slash, relative to the plugin, such as \/health\n$/,
    );
    expect(code).toBe(2);
  });

  it('exits with 2 for broken YAML of a default file, and quotes none of it', async () => {
    const { code, stdout, stderr } = await check('token: "secret-value\nx: [');
    expect(stderr).toMatch(/^error: app-config\.yaml:2: .*\n$/);
    expect(stderr).not.toContain('secret-value');
    expect([code, stdout]).toEqual([2, '']);
  });

  it.each<[string, string[], string, string]>([
    [
      'a rule that is wrong',
      [],
      GATE.replace('/entities/**', 'entities'),
      ':8: auth.apiGate.allow[1].path must be text that starts with a slash',
    ],
    [
      'a setting that is not known',
      [],
      GATE.replace('expect:', 'expects:'),
      ':9: auth.apiGate.expects is not known (did you mean expect?): use ',
    ],
    [
      'a value that is no list',
      [],
      `${BASE}auth:\n  apiGate: x\n`,
      ':4: auth.apiGate must be an object',
    ],
    [
      'a file that is not there',
      ['--config', '/x.yaml'],
      GATE,
      '/x.yaml" does not exist',
    ],
    [
      'an address as a file',
      ['--config', 'https://a.example.com/x.yaml'],
      GATE,
      'looks like a URL',
    ],
    ['broken YAML', [], `${GATE}  - {`, 'app-config.yaml:12: '],
    ['an unknown option', ['--cfg', 'x'], GATE, '--cfg is no option'],
    ['a file alone', ['a.yaml'], GATE, 'give files with --config'],
    [
      'a format that is not known',
      ['--format', 'xml'],
      GATE,
      '--format must be one of text, github',
    ],
    [
      'an address that is none',
      ['--policy', 'ftp://a:secret-value@b'],
      GATE,
      'The address must begin with https://',
    ],
    [
      'an address with a password',
      ['--policy', 'http://a:secret-value@localhost'],
      GATE,
      'must not hold a user or a password',
    ],
    [
      'a variable that is not set',
      ['--policy', 'http://localhost:1', '--token-env', 'NOT_SET'],
      GATE,
      'The variable NOT_SET that --token-env names is not set',
    ],
  ])('exits with 2 for %s', async (_, args, text, message) => {
    const named = ['--config', 'app-config.yaml', ...args];
    const { code, stdout, stderr } = await check(text, named);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^(Read app-config\.yaml\n)?error: .*\n$/);
    expect(stderr).not.toContain('secret-value');
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('api-gate check --policy', () => {
  const LISTS = { allow: [], closed: [], openedInCode: [], unknown: [] };
  const answers: Record<string, (token?: string) => [number, string]> = {
    '/good': token => [
      token === 'Bearer let-me-read' ? 200 : 401,
      JSON.stringify({
        ...LISTS,
        closed: [
          {
            ...{ plugin: 'badges', paths: ['/entity/*', '/entity/*/**'] },
            allow: 'unauthenticated',
          },
          { plugin: 'techdocs', paths: ['/static'], allow: 'user-cookie' },
        ],
        installed: ['badges', 'hello', 'own', 'techdocs'],
        unknown: ['own', 'hello'],
      }),
    ],
    '/bare': () => [200, JSON.stringify({ ...LISTS, installed: ['hello'] })],
    '/reporting': () => {
      const days = {
        firstSeen: '2026-11-01T08:00:00.000Z',
        lastSeen: '2026-11-02T08:00:00.000Z',
      };
      const request = { plugin: 'hello', method: 'GET', requests: 1, ...days };
      const worked = [
        { ...request, path: '/badge.svg' },
        { ...request, path: '/old', isExpectedClosed: true },
        { ...request, reason: 'only', subject: 'ci' },
      ];
      const reportOnly = { since: days.firstSeen, worked };
      const declared = { ...LISTS, installed: ['hello'], reportOnly };
      return [200, JSON.stringify(declared)];
    },
    '/page': () => [200, '<html>'],
    '/moved': () => [302, ''],
  };
  let url: string;

  beforeAll(async () => {
    ({ url } = await serve((req, res) => {
      const [status, body] = answers[req.url!](req.headers.authorization);
      res.writeHead(status, { Location: '/good' }).end(body);
    }));
  });

  it('adds what plugins open in code', async () => {
    const { code, stdout } = await check(
      `${BASE}auth: { apiGate: {} }\n`,
      ['--policy', `${url}/good`, '--token-env', 'POLICY_TOKEN'],
      { POLICY_TOKEN: 'let-me-read' },
    );
    expect(stdout).toContain(
      [
        'Declared open by plugins, and closed by the gate, except for what your rules name:',
        '  badges /entity/* and /entity/*/**, any method, to everybody',
        "  techdocs /static, any method, to Backstage's own cookie, which still opens it",
        'Not known what these open themselves:',
        '  own',
        '  hello',
      ].join('\n'),
    );
    expect(stdout).not.toContain('let-me-read');
    expect(code).toBe(0);
  });

  it('warns a week before report-only ends of what stops then, as far as it knows', async () => {
    const until = new Date(Date.now() + 6 * 24 * 3_600_000).toISOString();
    const config = `${BASE}auth: { apiGate: { mode: report-only, until: '${until}' } }\n`;
    const warning = async (...args: string[]) => {
      const { code, stdout } = await check(config, [
        ...args,
        ...['--fail-on', 'findings'],
      ]);
      expect(code).toBe(1);
      return stdout.match(/auth\.apiGate\.until: (.*)/)?.[1];
    };
    const write =
      'add a rule or a credential for what has to go on, or write a later until [report-only-ends]';
    expect(await warning('--policy', `${url}/reporting`)).toBe(
      `ends report-only at ${until}: the gate refuses GET /api/hello/badge.svg, GET /api/hello/… with a token of ci from then on: ${write}`,
    );
    expect(await warning()).toBe(
      `ends report-only at ${until}: GET …/policy of the running backend names what stops working: ${write}`,
    );
  });

  it('finds rules of plugins that are not installed, and names nothing that there is not', async () => {
    const rules = ['hello', 'helo'].map(id => `{ plugin: ${id}, path: /b }`);
    const { stdout } = await check(
      `${BASE}auth: { apiGate: { allow: [${rules}] } }\n`,
      ['--policy', `${url}/bare`],
    );
    expect(stdout.split('\n')).toEqual([
      'Public by rule:',
      '  app-config.yaml:3  auth.apiGate.allow[0]  GET /api/hello/b',
      '  app-config.yaml:3  auth.apiGate.allow[1]  GET /api/helo/b  (not installed in this backend: a misspelling, or a plugin of another one)',
      ...BUILT_IN,
      'Lists, by file:',
      '  auth.apiGate.allow: 2 of app-config.yaml',
      expect.stringMatching(
        /^warning: app-config\.yaml:3: auth\.apiGate\.allow\[1\] \(GET \/api\/helo\/b\): names the plugin helo, which is not installed/,
      ),
      '0 of 0 expectations hold, 1 finding',
      '',
    ]);
  });

  it('checks the plugins of expectations, which may be in another backend', async () => {
    const args = ['--policy', `${url}/good`, '--token-env', 'POLICY_TOKEN'];
    const env = { POLICY_TOKEN: 'let-me-read' };
    const expecting = (plugin: string) =>
      `${BASE}discovery: { endpoints: [{ target: http://a/api, plugins: [Wiki] }] }\nauth: { apiGate: { expect: [{ plugin: ${plugin}, is: closed }] } }\n`;
    for (const plugin of ['hello', 'wiki', '"${NOT_SET}"']) {
      const { code, stdout } = await check(
        expecting(plugin),
        [...args, '--mock-env'],
        env,
      );
      expect(stdout).toContain('1 of 1 expectations hold');
      expect(code).toBe(0);
    }
    const { code, stderr } = await check(expecting('catalgo'), args, env);
    expect(stderr).toMatch(
      /^Read app-config\.yaml\nerror: app-config\.yaml:4: auth\.apiGate\.expect\[0\]\.plugin names the plugin catalgo, which is not installed here or in discovery\.endpoints: /,
    );
    expect(code).toBe(2);
    const unchecked = await check(expecting('catalgo'));
    expect(unchecked.stdout).toContain(
      'Without --policy, check can miss a misspelt plugin in ',
    );
    expect(unchecked.code).toBe(0);
  });

  it.each([
    ['/good', 'answers 401: name with --token-env a variable'],
    ['/page', 'answers 200 and no policy: write the address of GET'],
    ['/moved', 'answers 302 and no policy: write the address of GET'],
  ])('exits with 2 for %s', async (path, message) => {
    const { code, stderr } = await check(BASE, ['--policy', url + path]);
    expect(stderr).toContain(message);
    expect(code).toBe(2);
  });
});
