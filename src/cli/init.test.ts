import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { WorkedRequests } from '../operators/reports/describeReportOnly';
import {
  CliResult,
  folderWith,
  runCli,
  runCliIn,
  writeInto,
} from '../__tests__/__testUtils__/runCli';
import { serve } from '../__tests__/__testUtils__/serve';

jest.setTimeout(60_000);

const BASE = 'backend: { baseUrl: https://backstage.example.com }\n';
const HTTP = BASE.replace('https', 'http');

const withGate = (settings: string) => `${BASE}auth:\n  apiGate:\n${settings}`;

const BADGE = '/entity/default/component/a/badge/pingback';

const dateIn = (days: number) =>
  new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

/** Requests that worked, as the policy route has them. */
const workedAt = (
  plugin: string,
  change: Partial<WorkedRequests> = {},
): WorkedRequests => ({
  ...{ plugin, method: 'GET', path: '/x', status: 200, requests: 12 },
  ...{
    firstSeen: '2026-11-20T08:00:00.000Z',
    lastSeen: '2026-11-27T08:00:00.000Z',
  },
  ...change,
});

/** The policy of a backend in report-only. */
const policyOf = (
  worked: WorkedRequests[],
  { reportOnly, ...others }: Record<string, any> = {},
) => ({
  ...{ allow: [], closed: [], openedInCode: [], unknown: [] },
  installed: ['badges', 'catalog', 'events', 'scaffolder', 'search'],
  reportOnly: {
    since: '2026-11-20T07:00:00.000Z',
    worked,
    ...reportOnly,
  },
  ...others,
});

let policy: object;
let url: string;
beforeAll(async () => {
  ({ url } = await serve((_req, res) => res.end(JSON.stringify(policy))));
});

interface Init extends CliResult {
  folder: string;
  /** The block as YAML. */
  printed: any;
  /** The block as YAML, with its allow rules. */
  uncommented: any;
  /** Runs `check` with the printed block as a further file. */
  check(...args: string[]): Promise<CliResult>;
}

/** Runs the command in the folder of a backend. */
async function init(
  files: Record<string, string> | string,
  given?: object,
  ...args: string[]
): Promise<Init> {
  policy = given ?? {};
  const folder = folderWith(
    typeof files === 'string' ? { 'app-config.yaml': files } : files,
  );
  const result = await runCliIn(
    ['init', ...args, ...(given ? ['--policy', url] : [])],
    { cwd: folder },
  );
  const { stdout } = result;
  return {
    ...result,
    folder,
    printed: parse(stdout)?.auth?.apiGate,
    get uncommented() {
      const rules = /^ {4}# (allow:| {2}- \{)/gm;
      return parse(stdout.replace(rules, '    $1'))?.auth?.apiGate;
    },
    check(...more) {
      writeInto(folder, { 'printed.yaml': stdout });
      const configs = ['app-config.yaml', 'printed.yaml'];
      return runCliIn(
        ['check', ...configs.flatMap(file => ['--config', file]), ...more],
        { cwd: folder },
      );
    },
  };
}

describe('api-gate init without a policy', () => {
  it('prints a block that begins in report-only, and writes nothing', async () => {
    const cwd = folderWith({ 'app-config.yaml': BASE });
    const { code, stdout, stderr } = await runCli(['init'], { cwd });
    expect(stdout.split('\n')).toEqual([
      `# Made by api-gate init on ${dateIn(0)} from app-config.yaml. It opens nothing as it is.`,
      'auth: # if the file has this key already, add what is below it there',
      '  apiGate:',
      expect.stringMatching(
        /^ {4}# Before this day, 00:00 UTC, only ended sessions/,
      ),
      expect.stringMatching(/^ {4}# /),
      '    # Leave out both lines if the gate refuses already.',
      '    mode: report-only',
      `    until: ${dateIn(14)}`,
      '',
      '    # Browsers accept a cookie of this name from this host only.',
      '    cookie:',
      '      name: __Host-token',
      '',
      expect.stringMatching(/^ {4}# TODO: name the users and groups/),
      "    operators: [] # such as ['group:default/platform']",
      '',
    ]);
    expect(stderr).toBe(
      'Read app-config.yaml\nauth.apiGate is in none of the files read: with these, the gate enforces and has no rule\nWithout --policy, the block has no requests that were asked for: run this again once the backend was in report-only for some days\nThen run api-gate check with the same files\n',
    );
    expect(code).toBe(0);
    expect(readdirSync(cwd).sort()).toEqual([
      'app-config.yaml',
      'package.json',
    ]);
  });

  it.each([
    ['http', HTTP],
    [
      'a cookie that needs a domain',
      `${BASE}auth: { apiGate: { cookie: { domain: example.com } } }\n`,
    ],
    ['no cookie', `${BASE}auth: { apiGate: { cookie: { enabled: false } } }\n`],
    ['a name', `${BASE}auth: { apiGate: { cookie: { name: session } } }\n`],
  ])('proposes no other name of the cookie with %s', async (_, text) => {
    const { code, stdout } = await init(text);
    expect(stdout).not.toContain('__Host-');
    expect(code).toBe(0);
  });

  it('takes the plugins from the workspace, and leaves those that the configuration names as comments', async () => {
    const dependencies = {
      '@backstage/plugin-catalog-backend': '1',
      '@backstage/plugin-app-backend': '1',
    };
    const { printed, stdout, check } = await init({
      'package.json': JSON.stringify({ name: 'backend', dependencies }),
      'app-config.yaml': `${BASE}catalog: {}\nscaffolder: {}\n`,
    });
    expect(printed.expect).toEqual([{ plugin: 'catalog', is: 'closed' }]);
    expect(stdout).toContain(
      '      # - { plugin: scaffolder, is: closed } # only if it is installed in this backend\n',
    );
    expect((await check()).code).toBe(0);
  });

  it('proposes nothing for plugins whose health checks Backstage opens, since a load balancer may need them', async () => {
    const dependencies = {
      '@backstage/plugin-notifications-backend': '1',
      '@backstage/plugin-permission-backend': '1',
      '@backstage/plugin-search-backend': '1',
    };
    const { printed } = await init({
      'package.json': JSON.stringify({ name: 'backend', dependencies }),
      'app-config.yaml': BASE,
    });
    expect(printed.expect).toEqual([{ plugin: 'search', is: 'closed' }]);
  });

  it('has nothing to do for operators who are named', async () => {
    const { stdout } = await init(
      `${BASE}auth: { apiGate: { operators: ['group:default/a'] } }\n`,
    );
    expect(stdout).not.toContain('TODO');
    expect(stdout).not.toContain('operators');
  });

  it.each([
    'allow: [{ plugin: catalog, path: /a }]',
    'expect: [{ request: GET /api/catalog/a, is: closed }]',
  ])(
    'expects no plugin to be closed about which %s says something',
    async settings => {
      const { stdout, check } = await init(
        withGate(`    ${settings}\n`),
        policyOf([]),
      );
      expect(stdout).not.toContain('plugin: catalog');
      expect(stdout).toContain('plugin: scaffolder');
      expect((await check()).code).toBe(0);
    },
  );

  it('proposes the webhooks of the configuration as comments, with what their rules need', async () => {
    const { printed, uncommented, stdout, check } = await init(
      `${BASE}events: { http: { topics: [gitlab, "own\\nauth: {}"] }, modules: { github: { webhookSecret: s } } }\n`,
    );
    expect(printed).not.toHaveProperty('allow');
    expect(uncommented.allow).toEqual(
      ['github', 'gitlab'].map(topic => ({
        plugin: 'events',
        path: `/http/${topic}`,
        methods: ['POST'],
      })),
    );
    expect(stdout.match(/# {5}.*/g)).toEqual([
      '#     stops the start until events.modules.gitlab.webhookSecret is set',
      '#     remove gitlab from events.http.topics: without the module of gitlab, everybody could send',
    ]);
    expect(stdout).toContain(
      "    # POST /api/events/http/own auth: {}: no rule is proposed, since no module of Backstage's verifies the sender",
    );
    expect((await check()).code).toBe(0);
  });

  it('gives each external token an entry that allows everything, and an end to those that never end', async () => {
    const entries = [
      '{ type: static, options: { token: a-token, subject: ci }, accessRestrictions: [{ plugin: catalog }] }',
      '{ type: static, options: { token: b-token, subject: ci }, accessRestrictions: [{ plugin: catalog }] }',
      '{ type: legacy, options: { secret: c2VjcmV0, subject: "a\'\\nb" }, accessRestrictions: [{ plugin: catalog }] }',
      '{ type: static, options: { token: c-token, subject: "it\'s" }, accessRestrictions: [{ plugin: catalog }] }',
      '{ type: jwks, options: { url: "http://localhost", subjectPrefix: x } }',
      '{ type: own, options: {} }',
    ];
    const { printed, stdout, check } = await init(
      `backend:\n  baseUrl: https://backstage.example.com\n  auth: { externalAccess: [${entries}] }\n`,
    );
    expect(printed.tokens).toEqual([
      { subject: 'ci', only: 'all', until: dateIn(180) },
      { subject: 'external:x:*', only: 'all' },
    ]);
    expect(stdout).toContain('# TODO: an entry for the subject "*"\n');
    expect(stdout).toContain('# TODO: an entry for the subject "a\'\\nb"\n');
    expect(stdout).toContain('# TODO: an entry for the subject "it\'s"\n');
    expect((await check()).code).toBe(0);
  });

  it('keeps what is there, and prints what is missing as comments with its place', async () => {
    const { code, printed, stdout, stderr, check } = await init(
      withGate(`    operators: ['user:default/jane']
    cookie: { sameSite: strict }
    allow:
      - { plugin: badges, path: '/entity/*/*/*/badge/*' }
    expect:
      - { plugin: search, is: closed }
`),
      policyOf([workedAt('badges', { path: BADGE }), workedAt('hello')]),
    );
    expect(printed).toBeUndefined();
    expect(stdout).toContain(
      [
        '    # cookie is there already, at app-config.yaml:5. Missing there:',
        '    # cookie:',
        '    #   name: __Host-token',
        '',
      ].join('\n'),
    );
    expect(stdout).toContain(
      [
        '    # allow is there already, at app-config.yaml:6. Missing there:',
        '    # allow:',
        "    #   - { plugin: hello, path: '/x', methods: [GET] }  # 12 requests from 2026-11-20 to 2026-11-27, answered 200",
        '',
      ].join('\n'),
    );
    expect(stdout).toContain(
      [
        '    # expect is there already, at app-config.yaml:8. Missing there:',
        '    # expect:',
        '    #   - { plugin: catalog, is: closed }',
        '    #   - { plugin: scaffolder, is: closed }',
        '',
      ].join('\n'),
    );
    expect(stdout).not.toMatch(/report-only$|until:|operators|pingback/m);
    expect(stderr).toContain(
      'auth.apiGate is there already (app-config.yaml:3): the block has only what is missing there\n',
    );
    expect(code).toBe(0);
    expect((await check()).code).toBe(0);
  });

  it.each([
    [
      'a wrong value',
      [withGate('    mode: off\n')],
      /app-config\.yaml:4: auth\.apiGate\.mode must be/,
    ],
    ['no baseUrl', ['app: {}\n'], /backend\.baseUrl.*give --mock-env/],
    ['an argument', [BASE, undefined, 'x'], /takes no argument "x"/],
    [
      'an unknown option',
      [BASE, undefined, '--against', 'x'],
      /api-gate init --help/,
    ],
    [
      'a variable of the token that is not set',
      [BASE, policyOf([]), '--token-env', 'NOT_SET'],
      /NOT_SET/,
    ],
    [
      'an odd list',
      [BASE, policyOf([null as never])],
      /answers 200 and no policy/,
    ],
    [
      'no list of what worked',
      [BASE, policyOf([], { reportOnly: { worked: undefined } })],
      /answers 200 and no policy/,
    ],
    [
      'no start',
      [BASE, policyOf([], { reportOnly: { since: undefined } })],
      /answers 200 and no policy/,
    ],
    [
      'no list',
      [BASE, { ...policyOf([]), installed: null }],
      /answers 200 and no policy/,
    ],
  ] as [string, Parameters<typeof init>, RegExp][])(
    'exits with 2 and one line for %s',
    async (_, args, message) => {
      const { code, stdout, stderr } = await init(...args);
      expect(stderr).toMatch(message);
      expect([code, stdout]).toEqual([2, '']);
    },
  );

  it('reads a configuration with variables that are not set', async () => {
    const { code, printed, check } = await init(
      'backend: { baseUrl: "${URL}", auth: { externalAccess: [{ type: static, options: { token: t, subject: "${SUBJECT}" } }] } }\n',
      undefined,
      '--mock-env',
    );
    expect(printed).toEqual({
      mode: 'report-only',
      until: dateIn(14),
      operators: [],
    });
    expect(code).toBe(0);
    expect((await check('--mock-env')).code).toBe(0);
  });
});

describe('api-gate init --policy', () => {
  it('[P91] proposes rules for what worked as comments, with how often, when and what answered, and no others', async () => {
    const { printed, uncommented, stdout, check } = await init(
      BASE,
      policyOf([
        workedAt('badges', { path: BADGE }),
        workedAt('badges', { path: BADGE, status: 304, requests: 1 }),
        workedAt('badges', { path: '/home', method: 'HEAD', status: 302 }),
        workedAt('badges', { path: '/home', method: 'DELETE' }),
        workedAt('badges', { path: undefined, status: undefined }),
        workedAt('events', {
          ...{ path: '/http/github', method: 'POST', status: 202 },
        }),
        workedAt('events', { path: '/http/own', method: 'POST', status: 202 }),
        ...['proxy', 'scaffolder', 'kubernetes', 'mcp-actions'].map(id =>
          workedAt(id, { path: '/v1' }),
        ),
        workedAt('live', { method: 'WEBSOCKET', status: 101 }),
        workedAt('not installed', { path: undefined, status: undefined }),
      ]),
    );
    expect(printed).not.toHaveProperty('allow');
    expect(uncommented.allow).toEqual([
      { plugin: 'badges', path: BADGE, methods: ['GET'] },
      { plugin: 'badges', path: '/home', methods: ['HEAD'] },
      {
        ...{ plugin: 'events', path: '/http/github', methods: ['POST'] },
      },
    ]);
    const often = '12 requests from 2026-11-20 to 2026-11-27, answered';
    expect(
      stdout.match(
        /^ {4}# (allow:| {2}- \{ .*methods| {4}and|[A-Z]+ .*request).*/gm,
      ),
    ).toEqual([
      '    # allow:',
      `    #   - { plugin: badges, path: '${BADGE}', methods: [GET] }  # ${often} 200`,
      '    #     and 1 request from 2026-11-20 to 2026-11-27, answered 304',
      `    #   - { plugin: badges, path: '/home', methods: [HEAD] }  # ${often} 302`,
      `    #   - { plugin: events, path: '/http/github', methods: [POST] }  # ${often} 202`,
      expect.stringMatching(
        /DELETE \/api\/badges\/home: 12 requests.*; no rule is proposed for DELETE/,
      ),
      expect.stringMatching(
        /GET \/api\/badges\/…: 12 requests.*; .* no rule can name the path/,
      ),
      expect.stringMatching(
        /POST \/api\/events\/http\/own: .*; no rule is proposed for POST/,
      ),
      expect.stringContaining('GET /api/kubernetes/v1: 12'),
      expect.stringMatching(
        /WEBSOCKET \/api\/live\/x: .*; no rule is proposed for a WebSocket/,
      ),
      expect.stringContaining('GET /api/mcp-actions/v1: 12'),
      expect.stringMatching(/GET not installed: 12 requests/),
      ...['proxy', 'scaffolder'].map(id =>
        expect.stringContaining(`GET /api/${id}/v1: 12`),
      ),
    ]);
    // The rule of the webhook opens nothing, since the configuration has no secret.
    expect(stdout).toContain(
      'stops the start until events.modules.github.webhookSecret is set\n',
    );
    expect((await check()).code).toBe(0);
  });

  it('proposes no rule by the word of the server: these files may expect a request to be closed, and some plugins get none', async () => {
    const yaml = '# - { plugin: catalog, path: /x }';
    const { stdout } = await init(
      withGate('    expect: [{ request: GET /api/catalog/x, is: closed }]\n'),
      policyOf([workedAt('catalog', { yaml }), workedAt('proxy', { yaml })]),
    );
    expect(stdout).not.toContain('- { plugin: catalog, path');
    expect(stdout).toMatch(/GET \/api\/catalog\/x: .* has it as closed\n/);
    expect(stdout).toMatch(/GET \/api\/proxy\/x: .*; no rule is proposed/);
  });

  it('expects the plugins to be closed that are installed, except where requests worked without a credential', async () => {
    const { printed, stdout } = await init(
      BASE,
      policyOf([
        workedAt('catalog', { path: '/entities' }),
        workedAt('search', {
          ...{ path: undefined, status: undefined },
          ...{ reason: 'only', subject: 'ci' },
        }),
      ]),
    );
    expect(stdout).toContain(
      '# GET /api/search/…: 12 requests from 2026-11-20 to 2026-11-27; a token of ci would be refused (only)\n',
    );
    expect(printed.expect).toEqual([
      { plugin: 'scaffolder', is: 'closed' },
      { plugin: 'search', is: 'closed' },
    ]);
    expect(stdout).toContain(
      '      # - { plugin: catalog, is: closed } # requests worked there without a credential: see allow\n',
    );
  });

  it('[P90] proposes no report-only for a gate that enforces', async () => {
    const { reportOnly: _, ...enforcing } = policyOf([]);
    const { printed, stderr } = await init(BASE, enforcing);
    expect(Object.keys(printed)).toEqual(['cookie', 'operators', 'expect']);
    expect(stderr).toContain('The backend of --policy enforces');
  });

  it.each([
    [
      'the configuration',
      `${BASE.replace(' }', ', auth: { dangerouslyDisableDefaultAuthPolicy: true } }')}`,
      {},
    ],
    ['the policy', BASE, { reportOnly: { note: 'no rules are proposed' } }],
  ])(
    '[P91] proposes no rule while the default auth policy is disabled, by %s',
    async (_, text, change) => {
      const { stdout } = await init(
        text,
        policyOf([workedAt('badges')], change),
      );
      expect(stdout).not.toContain('plugin: badges');
      expect(stdout.match(/.*dangerouslyDisable.*/g)).toEqual([
        '    # no rules are proposed while backend.auth.dangerouslyDisableDefaultAuthPolicy is set, since every route works without a credential',
      ]);
    },
  );
});

const BREAKS = ['\n', '\r', '\u2028', '\u2029', '\u0085', '\0', '\u001b[2J\n'];
const OPENING =
  "auth: { apiGate: { allow: [{ plugin: catalog, path: '/**' }], mode: report-only } }";

describe('[P90] the block of api-gate init opens nothing', () => {
  it.each(
    BREAKS.flatMap(end => [
      [end, 'plugin', { plugin: `x${end}${OPENING}` }],
      [
        end,
        'plugin with a rule',
        { plugin: `x, path: '/**' }${end}- { plugin: catalog` },
      ],
      [end, 'method', { method: `GET${end}${OPENING}` }],
      [end, 'last day', { path: '/a/../b', lastSeen: `1${end}${OPENING}` }],
      [end, 'path', { path: `/x${end}${OPENING}` }],
      [
        end,
        'path with a rule',
        { path: `/x' }${end}- { plugin: catalog, path: '/**` },
      ],
    ]) as [string, string, Partial<WorkedRequests>][],
  )('with %j in the %s of a request', async (_end, _field, change) => {
    const { code, stdout, printed, uncommented, check } = await init(
      BASE,
      policyOf([workedAt('badges', change)]),
    );
    expect(stdout).not.toMatch(/[^\P{C}\n]|[\u2028\u2029]/u);
    expect(Object.keys(printed)).toEqual([
      ...['mode', 'until', 'cookie', 'operators', 'expect'],
    ]);
    // Not even if somebody removes all comments.
    expect(uncommented).not.toHaveProperty('allow');
    expect(code).toBe(0);
    expect((await check()).code).toBe(0);
  });

  it.each(BREAKS)(
    'with %j in the time of the start and in the names of plugins',
    async end => {
      const { printed, stdout } = await init(
        BASE,
        policyOf([], {
          installed: [`catalog${end}${OPENING}`, 'search'],
          reportOnly: {
            since: `now${end}${OPENING}`,
          },
        }),
      );
      expect(printed.expect).toEqual([{ plugin: 'search', is: 'closed' }]);
      expect(printed).not.toHaveProperty('allow');
      expect(stdout).not.toMatch(/^auth: \{/m);
    },
  );

  it.each([
    '/**',
    '/a/**',
    '/*',
    '/a/../b',
    '/.backstage/auth/v1/cookie',
    '/a%20b',
    `/${'x/'.repeat(200)}`,
    `/${'x'.repeat(40)}`,
  ])(
    'and proposes no rule for a path that the gate would not record: %s',
    async path => {
      const { uncommented, check } = await init(
        BASE,
        policyOf([workedAt('badges', { path })]),
      );
      expect(uncommented).not.toHaveProperty('allow');
      expect((await check()).code).toBe(0);
    },
  );

  it('and stays short, whatever a server answers', async () => {
    const long = 'x'.repeat(100_000);
    const { stdout, check } = await init(
      BASE,
      policyOf(
        [
          ...Array.from({ length: 3000 }, (_, i) =>
            workedAt('badges', { path: `/${i}` }),
          ),
          ...Array.from({ length: 3000 }, (_, i) =>
            workedAt(`${long.slice(0, 200)}${i}`, {
              method: long.slice(0, 200),
            }),
          ),
        ],
        { reportOnly: { since: long } },
      ),
    );
    expect(stdout.split('\n').length).toBeLessThan(450);
    expect(stdout.length).toBeLessThan(150_000);
    expect(stdout.match(/and \d+ more: see reportOnly/g)).toHaveLength(2);
    expect((await check()).code).toBe(0);
  });
});

describe('the whole output of api-gate init', () => {
  const fileWith = (scheme: string, subjects: string[], more = '') =>
    `${more}backend:
  baseUrl: ${scheme}://backstage.example.com
  auth:
    externalAccess:
${subjects
  .map(
    subject => `      - type: static
        options: { token: a-token, subject: '${subject}' }
        accessRestrictions: [{ plugin: badges, permissionAttribute: { action: [read] } }]
`,
  )
  .join('')}`;

  it('explains each setting, and lists what the configuration opens', async () => {
    const dependencies = Object.fromEntries(
      [
        ...['kubernetes', 'mcp-actions', 'techdocs', 'user-settings'].map(
          id => `@backstage/plugin-${id}-backend`,
        ),
        '@backstage/plugin-search-backend-module-catalog',
        'not-@backstage/plugin-scaffolder-backend',
        'lodash',
      ].map(name => [name, '1']),
    );
    const { stdout, stderr } = await init({
      'package.json': JSON.stringify({ name: 'backend', dependencies }),
      'app-config.yaml': fileWith('https', ['ci', 'x y'], 'catalog: {}\n'),
      'app-config.local.yaml': `
events: { http: { topics: [gitlab, own] } }
proxy: { endpoints: { /open: { credentials: dangerously-allow-unauthenticated }, /closed: {} } }
`,
    });
    expect(stdout)
      .toBe(`# Made by api-gate init on ${dateIn(0)} from app-config.yaml, app-config.local.yaml. It opens nothing as it is.
auth: # if the file has this key already, add what is below it there
  apiGate:
    # Before this day, 00:00 UTC, only ended sessions are refused. Then the gate enforces by itself. If requests that must work
    # would stop, write a later day: the log and the policy route have these requests.
    # Leave out both lines if the gate refuses already.
    mode: report-only
    until: ${dateIn(14)}

    # Browsers accept a cookie of this name from this host only.
    cookie:
      name: __Host-token

    # TODO: name the users and groups that may open the page of the gate, and end the sessions of others.
    operators: [] # such as ['group:default/platform']

    # Requests that need no credential. Each rule is a comment, because anonymous requests are also those of attackers.
    # Remove \`# \` in front of \`allow:\` and of each rule that you mean, and add its reason.
    # allow:
    #   - { plugin: events, path: '/http/gitlab', methods: [POST] }  # no request was seen
    #     stops the start until events.modules.gitlab.webhookSecret is set
    #     remove gitlab from events.http.topics: without the module of gitlab, everybody could send
    # POST /api/events/http/own: no rule is proposed, since no module of Backstage's verifies the sender: see docs/recipes/webhooks.md
    # proxy.endpoints./open is open to everybody: no rule is proposed for the plugin proxy, whose handlers act with credentials of their own

    # Plugins that must never become public, not even in part. With a rule for one of them, the backend does not start, and
    # \`api-gate check\` fails. Requests to them that work in report-only are meant to stop.
    expect:
      # - { plugin: catalog, is: closed } # only if it is installed in this backend
      - { plugin: kubernetes, is: closed }
      - { plugin: mcp-actions, is: closed }
      - { plugin: techdocs, is: closed }
      - { plugin: user-settings, is: closed }

    # Once this list is there, an external token without an entry may make no request. Tokens of backend.auth.externalAccess never end
    # by themselves. From its day on, the token of an entry is refused: write the day by which you will have renewed it.
    tokens:
      - subject: 'ci'
        only: all # or a list of the requests that it makes
        until: ${dateIn(180)}
      # TODO: an entry for the subject "x y"
`);
    expect(stderr).toBe(`Read app-config.yaml, app-config.local.yaml
auth.apiGate is in none of the files read: with these, the gate enforces and has no rule
Without --policy, the block has no requests that were asked for: run this again once the backend was in report-only for some days
Then run api-gate check with the same files
`);
  });

  it('names the files beside, unless --config names those of the backend', async () => {
    const files = {
      'app-config.yaml': 'backend: { baseUrl: http://localhost:7007 }\n',
      'app-config.local.yaml': 'app: {}\n',
      'app-config.production.yaml': 'app: {}\n',
      'app-config.example.yml': 'app: {}\n',
      'other.yaml': 'app: {}\n',
    };
    const { stderr } = await init(files);
    expect(stderr).toContain(
      'Not read: app-config.example.yml, app-config.production.yaml. Give --config for each file that the backend reads, in its order\n',
    );
    const given = await init(files, undefined, '--config', 'app-config.yaml');
    expect(given.stderr).not.toContain('Not read');
  });

  it('has what settings of the environment lack, and names no file for these', async () => {
    const longest = `/${'ab/'.repeat(66)}x`;
    policy = policyOf(
      [
        workedAt('badges', { path: '/http/github' }),
        workedAt('badges', { path: '/kept' }),
        workedAt('catalog', { path: '/..' }),
        workedAt('events'),
        workedAt('long', { path: longest }),
        workedAt('longer', { path: `${longest}x` }),
      ],
      {
        installed: ['badges', 'catalog', 'search'],
      },
    );
    const settings = {
      cookie: { sameSite: 'strict' },
      allow: [{ plugin: 'badges', path: '/kept' }],
      expect: [{ plugin: 'search', is: 'closed' }],
      tokens: [{ subject: 'limited', only: 'all', until: '2099-01-01' }],
    };
    const { stdout, stderr } = await runCliIn(['init', '--policy', url], {
      cwd: folderWith({
        'app-config.yaml': fileWith(
          'https',
          ['ci', 'limited'],
          'events: { modules: { gitlab: {} } }\ntechdocs: {}\n',
        ),
      }),
      env: { APP_CONFIG_auth_apiGate: JSON.stringify(settings) },
    });
    const often = '12 requests from 2026-11-20 to 2026-11-27';
    expect(stdout)
      .toBe(`# Made by api-gate init on ${dateIn(0)} from app-config.yaml and the policy of ${url}. It opens nothing as it is.
auth: # if the file has this key already, add what is below it there
  apiGate:
    # Browsers accept a cookie of this name from this host only.
    # cookie is there already. Missing there:
    # cookie:
    #   name: __Host-token

    # TODO: name the users and groups that may open the page of the gate, and end the sessions of others.
    operators: [] # such as ['group:default/platform']

    # Requests that need no credential. Each rule is a comment, because anonymous requests are also those of attackers.
    # Remove \`# \` in front of \`allow:\` and of each rule that you mean, and add its reason.
    # allow is there already. Missing there:
    # allow:
    #   - { plugin: badges, path: '/http/github', methods: [GET] }  # ${often}, answered 200
    #   - { plugin: events, path: '/x', methods: [GET] }  # ${often}, answered 200
    #   - { plugin: long, path: '${longest}', methods: [GET] }  # ${often}, answered 200
    # GET /api/catalog/…: ${often}; no rule is proposed, since no rule can name the path, or its plugin has too many: see docs/allow-rules.md
    # GET /api/longer/…: ${often}; no rule is proposed, since no rule can name the path, or its plugin has too many: see docs/allow-rules.md

    # Plugins that must never become public, not even in part. With a rule for one of them, the backend does not start, and
    # \`api-gate check\` fails. Requests to them that work in report-only are meant to stop.
    # expect is there already. Missing there:
    # expect:
    #   - { plugin: catalog, is: closed } # requests worked there without a credential: see allow

    # Once this list is there, an external token without an entry may make no request. Tokens of backend.auth.externalAccess never end
    # by themselves. From its day on, the token of an entry is refused: write the day by which you will have renewed it.
    # tokens is there already. Missing there:
    # tokens:
    #   - subject: 'ci'
    #     only: all # or a list of the requests that it makes
    #     until: ${dateIn(180)}
`);
    expect(stderr)
      .toBe(`Read app-config.yaml, variables of the environment (APP_CONFIG_…)
auth.apiGate.mode is enforce
auth.apiGate is there already: the block has only what is missing there
Then run api-gate check with the same files
`);
  });

  it.each([
    ['nothing where nothing is missing', [], '', ''],
    [
      'no key above mere comments',
      ['x y'],
      'scaffolder: {}\n',
      `    # expect:
      # - { plugin: scaffolder, is: closed } # only if it is installed in this backend

    # tokens:
      # TODO: an entry for the subject "x y"
`,
    ],
  ])(
    'has %s, in a folder without a package.json',
    async (_, subjects, more, lines) => {
      const gate = 'auth: { apiGate: { operators: [] } }\n';
      const text = fileWith('http', subjects, more + gate);
      const { stdout } = await runCliIn(['init', '--config', 'a.yaml'], {
        cwd: join(folderWith({ 'config/a.yaml': text }), 'config'),
      });
      expect(stdout.replace(/^ {4}# .*[a-z,.]\n/gm, '')).toBe(
        `# Made by api-gate init on ${dateIn(0)} from a.yaml. It opens nothing as it is.\n${lines}`,
      );
    },
  );

  it.each([
    [200, null],
    [201, ['# and 1 more: see reportOnly of the policy']],
  ])('has at most 200 rules of %i', async (rules, more) => {
    const { printed, stdout } = await init(
      fileWith('https', ['ci']),
      policyOf(
        Array.from({ length: rules }, (_, i) =>
          workedAt('badges', { path: `/${i}` }),
        ),
      ),
    );
    expect(stdout.match(/# and .*/g)).toEqual(more);
    expect(printed.tokens).toHaveLength(1);
  });

  it('is the help with --help', async () => {
    const cwd = folderWith({});
    const { code, stdout } = await runCliIn(['init', '--help'], { cwd });
    expect(stdout).toMatch(/^api-gate init \[--config FILE\]\.\.\.\n/);
    expect(code).toBe(0);
  });
});
