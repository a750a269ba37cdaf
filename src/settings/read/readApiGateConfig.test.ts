import { ConfigReader } from '@backstage/config';
import { InputError } from '@backstage/errors';
import type { JsonObject, JsonValue } from '@backstage/types';
import { readApiGateConfig } from './readApiGateConfig';

const read = (
  apiGate: JsonValue | undefined,
  baseUrl = 'https://backstage.example.com',
) =>
  readApiGateConfig(
    new ConfigReader({
      backend: { baseUrl },
      ...(apiGate !== undefined && { auth: { apiGate } }),
    }),
  );

const trusting = (...trustedPaths: JsonValue[]) => ({
  cookie: { trustedPaths },
});

describe('readApiGateConfig', () => {
  it('has defaults', () => {
    const defaults = {
      allow: [],
      deny: [],
      expect: [],
      mode: 'enforce',
      until: undefined,
      issuers: [],
      tokens: [],
      cookie: {
        enabled: true,
        name: 'token',
        maxAgeMs: undefined,
        attributes: {
          httpOnly: true,
          path: '/',
          sameSite: 'lax',
          secure: true,
        },
      },
      backendOrigin: 'https://backstage.example.com',
      trustedOrigins: ['https://backstage.example.com'],
      trustedPaths: [],
      credentialHeader: undefined,
      foreignAuthorization: [],
      signOut: {
        scope: 'session',
        offlineSessions: 'keep',
        providers: new Set(),
      },
      operators: new Set(),
      readers: new Set(),
      mcpPaths: new Set(),
      audit: { clientAddress: false },
      revocation: { pollIntervalMs: 2000 },
      tokenCache: { ttlMs: 30000 },
      acceptedFindings: [],
      usage: true,
    };
    expect(read(undefined)).toEqual(defaults);
    expect(read({})).toEqual(defaults);
    expect(read({}, 'http://localhost:7007').cookie.attributes.secure).toBe(
      false,
    );
  });

  /** Each message, without `auth.apiGate` in front of it, and values that have it. */
  const refused: [message: string, ...values: JsonValue[]][] = [
    [' must be an object', true, []],
    [
      '.alow is not known (did you mean allow?): use mode, until, allow, deny, expect, issuers, credentialHeader, foreignAuthorization, tokens, cookie, signOut, operators, readers, audit, revocation, tokenCache, usage, findings',
      { alow: [] },
    ],
    [
      '.usage must be true or false: the record has 30 days',
      ...['off', 0, { keep: '90d' }].map(usage => ({ usage })),
    ],
    [
      '.issuers must be a list',
      { issuers: 'https://a.example.com' },
      { issuers: [''] },
    ],
    [
      '.issuers[0] must be the URL',
      { issuers: ['a.example.com'] },
      { issuers: ['ftp://a.example.com/api/auth'] },
      { issuers: ['https://a.example.com'] },
      { issuers: ['https://a.example.com/'] },
      { issuers: ['https://a.example.com/api'] },
      { issuers: ['https://a.example.com/api/auth/'] },
      { issuers: ['https://a.example.com/api/auth?x=/api/auth'] },
      { issuers: ['https://a.example.com/#/api/auth'] },
    ],
    ['.cookie.Name is not known', { cookie: { Name: 'x' } }],
    [
      '.cookie.trustedPaths[0].methods is not known: use plugin, path',
      trusting({ plugin: 'proxy', path: '/a', methods: [] }),
    ],
    [
      '.cookie.trustedPaths[1].plugin must be one plugin id',
      trusting({ plugin: 'proxy', path: '/a' }, {}),
    ],
    [
      '.cookie.trustedPaths[0].path ',
      ...[
        ...['/api/proxy/a', '/a/*', '/a/', '/a/**/b', '/a//b', '/a/../b'],
        ...['/:a', '/a b'],
      ].map(path => trusting({ plugin: 'proxy', path })),
    ],
    [
      '.signOut.provider is not known (did you mean providers?): use scope, providers',
      { signOut: { provider: [] } },
    ],
    [
      '.operators must be a list',
      ...['group:default/a', {}, [5]].map(operators => ({ operators })),
    ],
    [
      '.operators[1] must be a full entity reference',
      ...[
        'platform',
        'group:platform',
        'default/platform',
        'group:/platform',
        'group:default/',
        'group:default/a b',
        'group:default/a/b',
        'group:default/a\u0000',
        'group:default/\ud800',
        `group:default/${'a'.repeat(1000)}`,
      ].map(ref => ({ operators: ['user:default/jane', ref] })),
    ],
    ['.revocation.interval is not known', { revocation: { interval: '2s' } }],
    ['.tokenCache.max is not known', { tokenCache: { max: 1 } }],
    ['.audit must be an object with the keys clientAddress', { audit: true }],
    [
      '.audit.clientAdress is not known (did you mean clientAddress?): use clientAddress',
      { audit: { clientAdress: true } },
    ],
    [
      '.audit.clientAddress must be true or false',
      { audit: { clientAddress: 'yes' } },
    ],
  ];
  it.each(
    refused.flatMap(([message, ...values]) =>
      values.map(value => [value, `auth.apiGate${message}`] as const),
    ),
  )('refuses %j: %s', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(message);
    expect(() => read(apiGate)).toThrow(/^[^\n]+$/);
  });

  it.each<[JsonObject, string]>([
    [
      { allow: 'all' },
      'allow must be a list of rules, each with a plugin and a path: begin each entry with "- ", in a line of its own',
    ],
    [
      { expect: 'all' },
      'expect must be a list of expectations, such as [{ plugin: catalog, is: closed }]: begin each entry with "- ", in a line of its own',
    ],
    ...['a.example.com', 'ftp://a.example.com/https:'].map(
      (issuer): [JsonObject, string] => [
        { issuers: ['http://b.example.com/api/auth', issuer] },
        'issuers[1] must be the URL that the other deployment\'s tokens carry as "iss": the address of its auth plugin, such as https://backstage.example.com/api/auth',
      ],
    ),
    [
      { operators: ['user:default/jane', 'jane'] },
      'operators[1] must be a full entity reference, such as group:default/platform or user:default/jane',
    ],
    [{ audit: 'x' }, 'audit must be an object with the keys clientAddress'],
    [{ findings: 'x' }, 'findings must be an object with the keys accept'],
  ])('says of %j what to write instead', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(
      new InputError(`auth.apiGate.${message}`),
    );
  });

  it.each([
    ['auth', 'apigate'],
    ['auth', 'apiGATE'],
    ['auth', 'ApiGate'],
    ['auth', 'api-gate'],
    ['auth', 'api_gate'],
    // The environment may have set it.
    ['AUTH', 'APIGATE'],
  ])('refuses the key %s.%s', (section, key) => {
    const backend = { baseUrl: 'https://backstage.example.com' };
    const readFor = (config: JsonObject) =>
      readApiGateConfig(new ConfigReader({ backend, ...config }));
    expect(() => readFor({ [section]: { [key]: {} } })).toThrow(
      new InputError(
        `${section}.${key} is not known: write auth.apiGate, which is the key apiGate below the key auth`,
      ),
    );
    expect(readFor({ auth: { [`${key}s`]: {} } }).mode).toBe('enforce');
    expect(readFor({ [`x${section}`]: { [key]: {} } }).mode).toBe('enforce');
  });

  it('refuses a key of an earlier version, and names what replaces it', () => {
    expect(() => read({ candidate: { allow: [] } })).toThrow(
      new InputError(
        'auth.apiGate.candidate is not known: remove it; the record of use shows who a removed rule would stop, and api-gate diff what an added one opens',
      ),
    );
  });

  it('refuses an expectation of a plugin that is not known', () => {
    const config = new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: {
        apiGate: { expect: [{ request: 'GET /api/wiki/a', is: 'closed' }] },
      },
    });
    const readFor = (...known: string[]) =>
      readApiGateConfig(config, { knownPlugins: new Set(known) });
    expect(readFor('wiki').expect).toHaveLength(1);
    expect(() => readFor('search')).toThrow(
      /^auth\.apiGate\.expect\[0\]\.request names the plugin wiki, which is not installed here or in discovery\.endpoints: /,
    );
    expect(() => readFor('search', 'wiki2')).toThrow(
      ' (did you mean wiki2?): correct the id',
    );
  });

  it('trusts the frontend, the backend and what is listed', () => {
    const config = new ConfigReader({
      app: { baseUrl: 'https://portal.example.com/backstage' },
      backend: { baseUrl: 'https://api.example.com:8443/x' },
      auth: {
        apiGate: { cookie: { trustedOrigins: ['http://localhost:3000'] } },
      },
    });
    expect(readApiGateConfig(config).trustedOrigins).toEqual([
      'https://api.example.com:8443',
      'https://portal.example.com',
      'http://localhost:3000',
    ]);
  });

  it('reads issuers', () => {
    const issuers = [
      'https://a.example.com/api/auth',
      'http://localhost:7007/portal/api/auth',
      'https://a.example.com/internal-auth',
      // By `discovery.endpoints`, an address can be any.
      'https://sso.example.com/login',
      'https://a.example.com/api/api',
    ];
    expect(read({ issuers }).issuers).toEqual(issuers);
  });

  it('reads the header that holds the token, and the paths where Authorization is for another server', () => {
    const foreignAuthorization = [{ plugin: 'proxy', path: '/a/**' }];
    expect(
      read({ credentialHeader: 'X-Backstage-Token', foreignAuthorization }),
    ).toMatchObject({
      credentialHeader: 'x-backstage-token',
      foreignAuthorization,
    });
  });

  it('refuses a token that no external access has', () => {
    expect(() => read({ tokens: [{ subject: 'ci' }] })).toThrow(
      /^auth\.apiGate\.tokens\[0\]/,
    );
  });

  it.each(['operators', 'readers'] as const)('reads %s without case', key => {
    const refs = ['Group:default/Platform', 'user:default/jörg'];
    expect(read({ [key]: refs })[key]).toEqual(
      new Set(['group:default/platform', 'user:default/jörg']),
    );
  });

  it.each([true, false])('reads the usage %s', usage => {
    expect(read({ usage }).usage).toBe(usage);
  });
});

describe('auth.apiGate.mode', () => {
  it.each<[JsonObject, string, string | undefined]>([
    [{}, 'enforce', undefined],
    [{ mode: 'enforce' }, 'enforce', undefined],
    [{ mode: 'report-only' }, 'report-only', undefined],
    [
      { mode: 'report-only', until: '2026-12-31' },
      'report-only',
      '2026-12-31T00:00:00.000Z',
    ],
  ])('of %j is %s until %s', (apiGate, mode, until) => {
    const config = read(apiGate);
    expect(config.mode).toBe(mode);
    expect(config.until?.toISOString()).toBe(until);
  });

  it.each<[JsonObject, string]>([
    [{ mode: 'off' }, 'mode must be one of enforce, report-only'],
    [{ mode: 'report' }, 'mode must be one of enforce, report-only'],
    [
      { until: '2026-12-31' },
      'until says when report-only ends: remove it, or set auth.apiGate.mode to report-only',
    ],
    [
      { mode: 'report-only', until: 'soon' },
      'until must be a date such as 2026-12-31, or an instant with a zone such as 2026-12-31T18:00:00Z',
    ],
  ])('is not %j', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(
      new InputError(`auth.apiGate.${message}`),
    );
  });
});

describe('durations', () => {
  it.each<[JsonObject, number, number | undefined]>([
    [{}, 2_000, 30_000],
    [{ revocation: {}, tokenCache: {} }, 2_000, 30_000],
    [
      { revocation: { pollInterval: '100ms' }, tokenCache: { ttl: '1s' } },
      100,
      1_000,
    ],
    [
      { revocation: { pollInterval: '5m' }, tokenCache: { ttl: '5m' } },
      300_000,
      300_000,
    ],
    [{ tokenCache: false }, 2_000, undefined],
  ])('of %j are %d ms and %d ms', (apiGate, pollIntervalMs, ttlMs) => {
    const { revocation, tokenCache } = read(apiGate);
    expect(revocation).toEqual({ pollIntervalMs });
    expect(tokenCache).toEqual(ttlMs && { ttlMs });
  });

  it.each<[JsonObject, string]>([
    [
      { revocation: 'x' },
      'revocation must be an object with the keys pollInterval',
    ],
    ...[
      ...['99ms', '301s', 2, {}, 0, '10ms', '1h', 'often'],
      // YAML has `.nan`.
      { seconds: NaN },
    ].map((pollInterval): [JsonObject, string] => [
      { revocation: { pollInterval } },
      'revocation.pollInterval must be a duration from 100ms to 5m, such as 2s or { seconds: 2 }',
    ]),
    [
      { tokenCache: true },
      'tokenCache must be false, or an object with the key ttl; leave it out for the default',
    ],
    [{ tokenCache: 'x' }, 'tokenCache must be an object with the keys ttl'],
    ...['999ms', '301s', '1h', false].map((ttl): [JsonObject, string] => [
      { tokenCache: { ttl } },
      'tokenCache.ttl must be a duration from 1s to 5m, such as 30s or { seconds: 30 }',
    ]),
  ])('are not %j', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(
      new InputError(`auth.apiGate.${message}`),
    );
  });
});
