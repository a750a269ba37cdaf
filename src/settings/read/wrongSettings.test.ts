import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject } from '@backstage/types';
import { cloneDeep, merge, set, unset } from 'lodash';
import { stringify } from 'yaml';
import { folderWith, runCliIn } from '../../__tests__/__testUtils__/runCli';
import { readApiGateConfig } from './readApiGateConfig';

jest.setTimeout(60_000);

const HTTP = 'http://backstage.example.com';
const HTTPS = 'https://backstage.example.com';

/** Settings without a mistake, each of which is replaced by wrong values. */
const CORRECT: JsonObject = {
  backend: {
    baseUrl: HTTPS,
    auth: {
      externalAccess: [
        { type: 'static', options: { token: 'x', subject: 'ci' } },
      ],
    },
  },
  auth: {
    apiGate: {
      allow: [{ plugin: 'pub', path: '/health', methods: ['GET'] }],
      closed: ['catalog'],
      credentialHeader: 'X-Backstage-Token',
      foreignAuthorization: [{ plugin: 'proxy', path: '/a/**' }],
      tokens: [{ subject: 'ci', only: [{ plugin: 'a', path: '/x' }] }],
      cookie: {
        trustedOrigins: ['https://b.example.com'],
        trustedPaths: [{ plugin: 'proxy', path: '/a/**' }],
      },
      signOut: { scope: 'session' },
      operators: ['user:default/jane'],
      audit: { clientAddress: false },
      findings: {
        accept: [{ id: 'rule-opens-plugin', at: 'allow[0]', reason: 'x' }],
      },
    },
  },
};

/** Settings that are wrong together, in place of a wrong value. */
class Settings {
  constructor(readonly config: JsonObject) {}
}
const gate = (apiGate: JsonObject) => new Settings({ auth: { apiGate } });
const cookieAt = (baseUrl: string, cookie: JsonObject) =>
  new Settings({ backend: { baseUrl }, auth: { apiGate: { cookie } } });
/** Stands for a key that is left out. */
const LEFT_OUT = Symbol('left out');

/** The rest of a path, what its message says, and values that have it. */
type Row = [path: string, message: string, ...values: unknown[]];

const ENTRIES = 'begin each entry with "- ", in a line of its own';
const OBJECTS = 'must be a list of objects';
const INSTANT =
  'must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z';
const RELATIVE =
  'must be text that starts with a slash, relative to the plugin, such as /health';
const ONLY_TRAILING =
  'may have a wildcard only as a trailing /**, which covers everything below';
const METHOD = 'must be a method that a rule can name, such as GET or POST';
const PLUGIN = 'must be one plugin id in lower case, such as';
const SUBJECT =
  'must be the subject of an external token, and of no plugin or user, as text without spaces, or the beginning of subjects followed by one *, such as external:*';
const ONE_OF_ACCESS =
  'must be one that an entry of backend.auth.externalAccess has';
const ONLY =
  'must be a list with one request or more, each with a plugin and a path, or all for every request';
const NO_DOMAIN =
  'must be a domain that the host of backend.baseUrl (backstage.example.com) is in; leave it out for a cookie of that host alone';
const DROPPED =
  'where backend.baseUrl is not https: browsers drop the cookie otherwise';

const socket = (path: string) =>
  gate({ allow: [{ plugin: 'pub', path, methods: ['GET', 'WEBSOCKET'] }] });

/** Wrong values by the beginning of the path, which is below `auth.apiGate`. */
const WRONG: Record<string, Row[]> = {
  '': [
    ['', 'must be an object with the keys mode, until, allow', true, []],
    [
      '.alow',
      'is not known (did you mean allow?): use mode, until, allow, closed, credentialHeader, foreignAuthorization, tokens, cookie, signOut, operators, audit, findings',
      [],
    ],
    ['.mode', 'must be one of enforce, report-only', 'off', 'report'],
    [
      '.mode',
      'must be one of enforce, report-only (did you mean enforce?)',
      'enforced',
    ],
    [
      '.until',
      'says when report-only ends: remove it, or set auth.apiGate.mode to report-only',
      '2026-12-31',
    ],
    ['.until', INSTANT, gate({ mode: 'report-only', until: '31.12.2026' })],
  ],
  '.allow': [
    [
      '',
      `must be a list of rules, each with a plugin and a path: ${ENTRIES}`,
      ...['all', {}],
    ],
    ['[0]', 'must be an object with the keys plugin, path', null, 'GET /'],
    [
      '[0]',
      'opens a path of the plugin catalog, which',
      gate({ allow: [{ plugin: 'catalog', path: '/x', until: '2020-01-01' }] }),
    ],
  ],
  '.allow[0]': [
    [
      '.method',
      'is not known (did you mean methods?): use plugin, path, methods, reason, until',
      ['GET'],
    ],
    ['.plugin', `${PLUGIN} pub`, 'Pub'],
    ['.plugin', `${PLUGIN} badges`, '@acme/plugin-badges-backend'],
    ['.plugin', `${PLUGIN} catalog`, 'a b', '', '*', 'pub/x', 5, LEFT_OUT],
    ['.reason', 'must be text that says why this is public', 5],
    ['.until', INSTANT, '', 'soon', '2026-02-31', null, ['2026-12-31']],
    [
      '.methods',
      'must be a list of methods, such as [GET]; leave it out for [GET]',
      ...[[], 'GET', { 0: 'GET' }],
    ],
    ['.methods[0]', `${METHOD} (did you mean GET?)`, 'get'],
    ['.methods[0]', METHOD, 'TRACE', 'CONNECT', 'FETCH', '*', 5, {}],
    ['.path', RELATIVE, 'health', '', '*', '^/health$', 5, LEFT_OUT],
    ['.path', 'must not end with a slash: write /health', '/health/'],
    ['.path', 'must not end with a slash: write /a', '/a///'],
    ['.path', 'must not end with a slash: write /a/**', '/a//**'],
    ['.path', 'must not end with a slash: write /a/*', '/a/*/'],
    ['.path', 'must not end with a slash: write /', '//'],
    [
      '.path',
      'has an empty segment before /**, as a variable without a value leaves it: write the path that is meant, or /** for the whole plugin',
      '//**',
    ],
    [
      '.path',
      'is relative to the plugin: leave out the leading /api/pub',
      ...['/api/pub', '/api/pub/x'],
    ],
    [
      '.path',
      'may have * only as a whole segment, such as /entity/*/badge, or a trailing /**, which covers everything below',
      ...['/a*', '/a/*b', '/a/*.*', '/a/***', '/a/b*/**', '/health*', '/.*'],
    ],
    [
      '.path',
      'must begin with a literal segment, since a client chooses what stands for a wildcard: write for example /entity/*/badge, one rule for each path, or /** for the whole plugin',
      ...['/*', '/*/a', '/*/**', '/**/a', '/*/'],
    ],
    [
      '.path',
      'may have /** only at its end: write * for each single segment',
      ...['/a/**/b', '/a/**/**', '/a/*/**/*'],
    ],
    [
      '.path',
      'must not have an empty, "." or ".." segment',
      ...['/a//b', '/a//*', '/a/./b', '/a/../b', '/a/*/../b', '/..'],
    ],
    [
      '.path',
      'may hold only letters, digits and - . _ ~ @ / : write the literal path, without parameters, escapes, query or regular expressions',
      ...['/a:b', '/users/:id', '/a/*/:b', '/health?x=1', '/health#x', '/a;b'],
      ...['/health ', '/health\n', '/h%65alth', '/a\\b', '/café', '/(a|b)'],
    ],
    [
      '.path',
      'is where cookies are issued, and no rule can name it: remove the rule',
      ...['', '/**'].map(end => `/.backstage/auth/v1/cookie${end}`),
    ],
    ['.path', 'must be at most 1000 characters long', `/${'a'.repeat(1000)}`],
    [
      '.path',
      "must be exact for the method WEBSOCKET: name each handler's path, without * and /**",
      ...['/ws/*', '/ws/*/a', '/ws/**', '/ws/*/**'].map(socket),
    ],
  ],
  '.closed': [
    ['', `must be a list of texts: ${ENTRIES}`, 'catalog'],
    [
      '[0]',
      'must be the id of a plugin in lower case, such as catalog',
      ...['Search', 'a b'],
    ],
  ],
  '.credentialHeader': [
    [
      '',
      'must be the name of a header that begins with X- or Backstage- and that nobody else sets, such as X-Backstage-Token',
      ...['Authorization', 'Cookie', 'X-', 'X-A B', 'X-A:', 'X-Ä', '', 7],
      ...[['X-Token'], 'X-Forwarded-User', 'X-Forwarded-Access-Token'],
      ...['x-real-ip', 'X-Goog-IAP-JWT-Assertion', 'X-Amzn-OIDC-Data'],
      ...['X-MS-TOKEN-AAD-ID-TOKEN', 'X-Auth-Request-Access-Token'],
      ...['X-HTTP-Method-Override', 'X-Requested-With'],
      'Backstage-Kubernetes-Authorization',
      'X-Api-Gate-Cookie-Issued-In-Front',
    ],
  ],
  '.foreignAuthorization': [
    ['', OBJECTS, {}],
    ['[0].reason', 'is not known: use plugin, path', 'x'],
    ['[0].path', RELATIVE, LEFT_OUT],
    ['[0].path', ONLY_TRAILING, '/a/*/b'],
    ['[0].path', 'is where cookies are issued', '/.backstage/auth/v1/cookie'],
    ...['auth', 'app'].map((id): Row => [
      '[0].plugin',
      `must not be ${id}, whose routes are for signing in`,
      id,
    ]),
    ...[
      ...[
        ['/a', '/a'],
        ['/a', '/**'],
        ['/', '/**'],
        ['/**', '/'],
      ],
      ...[
        ['/a/b', '/a/**'],
        ['/a/b', '/a/*'],
        ['/a/**', '/a'],
      ],
      ...[
        ['/A/**', '/a/b'],
        ['/a/**', '/a/*/c'],
        ['/a/b/**', '/a/*/**'],
      ],
      ...[
        ['/a/b/**', '/a/*'],
        ['/a/**', '/a/**'],
        ['/**', '/a/b'],
      ],
    ].map(([path, rule]): Row => [
      '[0]',
      `overlaps the allow rule GET /api/proxy${rule}`,
      gate({
        foreignAuthorization: [{ plugin: 'proxy', path }],
        allow: [{ plugin: 'proxy', path: rule }],
      }),
    ]),
  ],
  '.tokens': [
    ['', OBJECTS, 'ci'],
    ['[0]', 'must be an object with the keys subject, only, until', 'ci'],
    ['[0].onyl', 'is not known (did you mean only?): use subject', []],
    ['[0].subject', SUBJECT, 'c i', '', 7, LEFT_OUT, '*'],
    ['[0].subject', SUBJECT, 'external:*:a', 'external:a**'],
    ['[0].subject', SUBJECT, 'plugin:catalog', 'user:a/b', 'USER:a/b'],
    [
      '[0].subject',
      `${ONE_OF_ACCESS} (did you mean ci?): add that entry, correct the subject, or remove auth.apiGate.tokens[0]`,
      ...['cii', 'CI', 'external:ci'],
    ],
    ['[0].subject', `${ONE_OF_ACCESS}, such as ci: add that entry`, 'deploy'],
    ['[0].subject', `${ONE_OF_ACCESS}: add that entry`, 'external:*'],
    // A lost line must not allow more.
    ['[0].only', ONLY, LEFT_OUT, 'All', {}, null],
    [
      '[0].only',
      `${ONLY}; only a subject that ends with * may have an empty list`,
      [],
    ],
    ['[0].only[0].reason', 'is not known: use plugin, path, methods', 'x'],
    ['[0].only[0].path', 'must not end with a slash: write /x', '/x/'],
    ['[0].only[0].methods[0]', METHOD, '*'],
    ['[0].until', INSTANT, 'soon', ''],
    ['[0].reason', 'must be text', 7],
  ],
  '.cookie': [
    [
      '',
      'must be an object with the keys enabled, name, maxAge, domain, sameSite, trustedOrigins, trustedPaths',
      'off',
    ],
    ['.Name', 'is not known (did you mean name?): use enabled', 'x'],
    ['.enabled', 'must be true or false', 'no', 'false'],
    ['.sameSite', 'must be one of strict, lax, none', 'open'],
    [
      '.sameSite',
      'must be one of strict, lax, none (did you mean lax?)',
      ...['Lax', 'LAX'],
    ],
    [
      '.sameSite',
      `must be lax or strict ${DROPPED}`,
      cookieAt(HTTP, { sameSite: 'none' }),
    ],
    [
      '.name',
      'must be a cookie name of letters, digits and -_. such as token',
      ...['a b', 5, '', ' a', 'a ', 'a=b', 'a;b', 'tokén', ['token']],
    ],
    [
      '.name',
      "must not be backstage-auth, the name of Backstage's own cookie",
      'backstage-auth',
    ],
    ...['__Host-', '__SECURE-'].map((prefix): Row => [
      '.name',
      `must not start with ${prefix} ${DROPPED}`,
      cookieAt(HTTP, { name: `${prefix}token` }),
    ]),
    ['.domain', NO_DOMAIN, 'com', '.example.com', 'ample.com', 'example.com.'],
    ['.domain', NO_DOMAIN, '', 'example.org', 5, ['example.com']],
    // Browsers take no cookie of such a domain.
    ...['a_b.example.com', 'a.b_c.com'].map((domain): Row => [
      '.domain',
      NO_DOMAIN.replace('backstage.example.com', domain),
      cookieAt(`https://${domain}`, { domain }),
    ]),
    ...['__Host-', '__host-'].map((prefix): Row => [
      '.domain',
      `must be left out with a name that starts with ${prefix}: such a cookie is of one host`,
      cookieAt(HTTPS, { name: `${prefix}token`, domain: 'example.com' }),
    ]),
    [
      '.maxAge',
      'must be a duration from 1m to 24h, such as 900s or { seconds: 900 }',
      ...['59s', '25h', 'x', 15, false, {}],
    ],
    ['.trustedOrigins', `must be a list of texts: ${ENTRIES}`, 'x'],
    [
      '.trustedOrigins[0]',
      'must be one origin, such as https://portal.example.com, without a path or a wildcard',
      ...['https://a.example.com/', 'https://a.example.com:443', 'https://a b'],
      ...['https://*.example.com', 'https://a*.example.com', 'ftp://a'],
      ...['a.com', 'null', '*', 'HTTPS://a.example.com', 'https://'],
      'blob:https://a.com',
    ],
    ['.trustedPaths', `${OBJECTS}, each with a plugin and a path`, 'x'],
    ['.trustedPaths[0]', 'must be an object with the keys plugin, path', []],
    ['.trustedPaths[0].methods', 'is not known: use plugin, path', []],
    ['.trustedPaths[0].plugin', `${PLUGIN} catalog`, '*', LEFT_OUT],
    ['.trustedPaths[0].path', ONLY_TRAILING, '/a/*', '/a/*/**', '/a*', '/*'],
    ['.trustedPaths[0].path', 'is relative to the plugin', '/api/proxy/a'],
    ['.trustedPaths[0].path', 'must not end with a slash', '/a/'],
    ['.trustedPaths[0].path', 'must not have an empty', '/a//b', '/a/../b'],
    ['.trustedPaths[0].path', 'may hold only letters', '/:a', '/a b'],
  ],
  '.signOut': [
    ['', 'must be an object with the keys scope, providers', []],
    [
      '.provider',
      'is not known (did you mean providers?): use scope, providers',
      [],
    ],
    ['.scope', 'must be one of session, user', 'all'],
    ['.providers', `must be a list of texts: ${ENTRIES}`, 'github'],
  ],
  '.operators': [
    ['', `must be a list of texts: ${ENTRIES}`, 'group:default/a', {}],
    ['', 'must be a list of texts', [5]],
    [
      '[0]',
      'must be a full entity reference, such as group:default/platform or user:default/jane',
      ...['jane', 'group:platform', 'default/platform', 'group:/platform'],
      ...['group:default/', 'group:default/a b', 'group:default/a/b'],
      ...['group:default/a\u0000', 'group:default/\ud800'],
      `group:default/${'a'.repeat(1000)}`,
    ],
  ],
  '.audit': [
    ['', 'must be an object with the keys clientAddress', true, 'x'],
    ['.clientAdress', 'is not known (did you mean clientAddress?)', true],
    ['.clientAddress', 'must be true or false', 'yes'],
  ],
  '.findings': [
    ['', 'must be an object with the keys accept', 'x'],
    ['.ignore', 'is not known: use accept', []],
    [
      '.accept',
      `${OBJECTS}, each with an id, a place (at) and a reason: ${ENTRIES}`,
      'misspelt-setting',
    ],
    ['.accept[0].till', 'is not known: use id, at, reason', 'x'],
    ['.accept[0].id', 'must be one of', 'rule-open', null],
    [
      '.accept[0].at',
      'must be the place that the finding names, such as',
      ...['', null],
    ],
    ['.accept[0].reason', 'must be text that says why', '', null],
  ],
};

const BASE_URL =
  'must be a URL that begins with http:// or https://, such as https://backstage.example.com';
const NO_ORIGINS = ['portal.example.com:443', 'localhost:3000', 'x'];

/** Wrong values of settings of Backstage that the gate depends on, by their whole paths. */
const WRONG_ELSEWHERE: Row[] = [
  ...['app', 'backend'].map((key): Row => [
    `${key}.baseUrl`,
    BASE_URL,
    ...[...NO_ORIGINS, 'httpx://a.example.com', 'xhttp://a.example.com'],
  ]),
  [
    'backend.auth.externalAccess[0].options.subject',
    'must not begin as that of a plugin or a user: write another one, such as ci-deploy',
    ...['plugin:catalog', 'PLUGIN:ci', 'user:default/jane'],
  ],
];

const BLOCK: JsonObject = {
  mode: 'report-only',
  allow: [{ plugin: 'pub', path: '/open' }],
};
const at = (place: string, value: unknown = BLOCK) =>
  new Settings(set({}, place, value));
const BLOCK_IS =
  'is not known: write auth.apiGate, which is the key apiGate below the key auth';
const SETTING_IS =
  'is a setting of the gate at the wrong place: move it below auth.apiGate';

/** Settings of the gate at a wrong place, without those of {@link CORRECT}. */
const MISPLACED: Row[] = [
  ...[
    ...['apiGate', 'backend.apiGate', 'backend.auth.apiGate', 'Auth.apiGate'],
    ...['auth.providers.apiGate', 'auth.environment.apiGate'],
    'catalog.providers.github.apiGate',
    ...['other[1].apiGate', 'auth.list[0].apiGate'],
    // Another spelling, where it can only be meant for the gate. The environment may have set it.
    ...['api-gate', 'backend.apigate', 'backend.auth.api_gate', 'Auth.apigate'],
    ...['auth.apigate', 'auth.ApiGate', 'auth.api-gate', 'auth.api_gate'],
    'AUTH.APIGATE',
  ].map((place): Row => [place, BLOCK_IS, at(place)]),
  ['apiGate', BLOCK_IS, at('apiGate', {})],
  // Backstage does not split these keys.
  ['"auth.apiGate"', BLOCK_IS, new Settings({ 'auth.apiGate': BLOCK })],
  [
    'auth."apiGate.mode"',
    BLOCK_IS,
    new Settings({ auth: { 'apiGate.mode': 'enforce' } }),
  ],
  ['auth.allow', SETTING_IS, at('auth.allow', BLOCK.allow)],
  [
    'auth.allow',
    SETTING_IS,
    new Settings({ auth: { apiGate: {}, allow: [{}, { plugin: 5 }] } }),
  ],
  [
    'auth.mode',
    SETTING_IS,
    new Settings({ auth: { mode: 'report-only', apiGate: {} } }),
  ],
  [
    'auth.closed',
    SETTING_IS,
    new Settings({ auth: { closed: ['pub'], apiGate: null } }),
  ],
  ['auth.tokens', SETTING_IS, at('auth.tokens', [{ subject: 'ci' }])],
];

/** Returns the correct settings with a wrong value. */
function configWith(path: string, value: unknown): JsonObject {
  const config = cloneDeep(CORRECT);
  if (value instanceof Settings) {
    // A list replaces the other one as a whole.
    const { apiGate, ...others } = (value.config.auth ?? {}) as JsonObject;
    Object.assign((config.auth as any).apiGate, apiGate);
    return merge(config, { ...value.config, auth: others });
  }
  if (value === LEFT_OUT) {
    unset(config, path);
    return config;
  }
  return set(config, path, value);
}

const inPlace = (path: string, message: string, value: unknown) => ({
  config: configWith(path, value),
  message: `${path} ${message}`,
});

/** Each wrong configuration, with the beginning of its message. */
const wrong = [
  ...Object.entries(WRONG).flatMap(([beginning, rows]) =>
    rows.map(([path, ...row]): Row => [
      `auth.apiGate${beginning}${path}`,
      ...row,
    ]),
  ),
  ...WRONG_ELSEWHERE,
].map(([path, message, ...values]) =>
  values.map(value => inPlace(path, message, value)),
);
const misplaced = MISPLACED.map(([path, message, value]) => ({
  config: merge(
    { backend: { baseUrl: HTTPS } },
    (value as Settings).config,
  ) as JsonObject,
  message: `${path} ${message}`,
}));

const read = (config: JsonObject) =>
  readApiGateConfig(new ConfigReader(config));
const titled = (cases: { config: JsonObject; message: string }[]) =>
  cases.map(({ config, message }) => [message, config] as const);

/** Runs a command where `app-config.yaml` has a configuration. */
const run = (config: JsonObject, ...args: string[]) =>
  runCliIn(args, { cwd: folderWith({ 'app-config.yaml': stringify(config) }) });

function expectRefused(config: JsonObject, message: string) {
  expect(() => read(config)).toThrow(InputError);
  expect(() => read(config)).toThrow(/^[^\n]+$/);
  let thrown = '';
  try {
    read(config);
  } catch (error) {
    thrown = (error as Error).message;
  }
  expect(thrown.slice(0, message.length)).toBe(message);
}

it('correct settings are read', async () => {
  expect(() => read(CORRECT)).not.toThrow();
  const { code, stderr } = await run(CORRECT, 'check');
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: 'Read app-config.yaml\n',
  });
});

it.each(titled(wrong.flat()))(
  'a wrong setting stops the start, in one line: %s',
  (message, config) => expectRefused(config, message),
);

it.each(titled(wrong.map(([first]) => first)))(
  'api-gate check names the line of a wrong setting: %s',
  async (message, config) => {
    const { code, stderr } = await run(config, 'check');
    expect(stderr).toMatch(/^error: app-config\.yaml:\d+: /m);
    expect(stderr).toContain(`: ${message}`);
    expect(code).toBe(2);
  },
);

describe('[P102] settings of the gate at a wrong place', () => {
  it.each(titled(misplaced))(
    'stop the start, and api-gate check: %s',
    async (message, config) => {
      expectRefused(config, message);
      const { code, stderr } = await run(config, 'check');
      // No line of a file has these two words as a key of the configuration.
      const isFound = !/^(api-gate|"auth.apiGate") /.test(message);
      expect(/^error: app-config\.yaml:\d+: /m.test(stderr)).toBe(isFound);
      expect(stderr).toContain(`: ${message}`);
      expect(code).toBe(2);
    },
  );

  it.each([
    { auth: { apiGates: BLOCK } },
    { app: { apiGate: BLOCK, extensions: { apiGate: BLOCK } } },
    { dynamicPlugins: { frontend: { x: { apiGate: BLOCK } } } },
    { proxy: { endpoints: { apiGate: BLOCK } } },
    { catalog: { providers: { 'api-gate': BLOCK } } },
    { auth: { providers: { apigate: BLOCK } } },
    { apiGates: BLOCK },
    { auth: { allow: ['https://example.com'], tokens: [] } },
    { auth: { allow: [{ plugin: 'pub' }], apiGate: { allow: [] } } },
    { auth: { allow: { plugin: 'pub' }, mode: 'enforce', cookie: {} } },
  ] as JsonObject[])(
    'stop nothing where they may be meant for something else: %j',
    config =>
      expect(read({ backend: { baseUrl: HTTPS }, ...config }).allow).toEqual(
        [],
      ),
  );

  it.each([
    ['check', '--no-config'],
    ['explain', 'GET /api/pub/open'],
    ['report'],
    ['init'],
  ])('stop the other commands, too: %s', async (...args) => {
    const { code, stdout, stderr } = await run(misplaced[0].config, ...args);
    expect(stderr).toContain(misplaced[0].message);
    expect([code, stdout]).toEqual([2, '']);
  });
});
