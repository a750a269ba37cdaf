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
      fasterServer: false,
      acceptedFindings: [],
      candidate: undefined,
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
      '.alow is not known: use mode, until, allow, candidate, expect, issuers, credentialHeader, foreignAuthorization, tokens, cookie, signOut, operators, readers, audit, revocation, tokenCache, fasterServer, usage, findings',
      { alow: [] },
    ],
    [
      '.usage must be true or false: the record has 30 days',
      ...['off', 0, { keep: '90d' }].map(usage => ({ usage })),
    ],
    [
      '.fasterServer must be true or false',
      ...['true', 1, {}].map(fasterServer => ({ fasterServer })),
    ],
    [
      '.issuers must be a list',
      { issuers: 'https://a.example.com' },
      { issuers: [''] },
    ],
    [
      '.issuers[0] must be the URL',
      { issuers: ['a.example.com'] },
      { issuers: ['ftp://a.example.com'] },
    ],
    ['.cookie.Name is not known', { cookie: { Name: 'x' } }],
    ['.cookie.enabled must be true or false', { cookie: { enabled: 'false' } }],
    [
      '.cookie.name must be a cookie name',
      ...['', 'a b', 'a;b'].map(name => ({ cookie: { name } })),
    ],
    ['.cookie.name must not be', { cookie: { name: 'backstage-auth' } }],
    [
      '.cookie.sameSite must be one of strict, lax, none',
      { cookie: { sameSite: 'Lax' } },
    ],
    [
      '.cookie.domain must be a domain that the host',
      ...['example.org', 'ample.com', 'com', 5].map(domain => ({
        cookie: { domain },
      })),
    ],
    [
      '.cookie.domain must be left out',
      { cookie: { name: '__Host-token', domain: 'example.com' } },
    ],
    [
      '.cookie.trustedOrigins must be a list',
      { cookie: { trustedOrigins: 'https://a.example.com' } },
    ],
    [
      '.cookie.trustedOrigins[0] must be one origin',
      ...[
        '*',
        'null',
        'https://*.example.com',
        'https://a.example.com:443',
        'a.example.com',
      ].map(origin => ({ cookie: { trustedOrigins: [origin] } })),
    ],
    [
      '.cookie.trustedOrigins[1] must be one origin',
      {
        cookie: {
          trustedOrigins: ['https://a.example.com', 'https://a.example.com/'],
        },
      },
    ],
    [
      '.cookie.trustedPaths must be a list of objects',
      { cookie: { trustedPaths: { plugin: 'proxy' } } },
    ],
    [
      '.cookie.trustedPaths[0] must be an object with the keys plugin, path',
      trusting('/proxy'),
    ],
    [
      '.cookie.trustedPaths[0].methods is not known: use plugin, path',
      trusting({ plugin: 'proxy', path: '/a', methods: [] }),
    ],
    [
      '.cookie.trustedPaths[1].plugin must be one plugin id',
      trusting({ plugin: 'proxy', path: '/a' }, {}),
    ],
    [
      '.cookie.trustedPaths[0].plugin must be one plugin id in lower case',
      trusting({ plugin: 'Proxy', path: '/a' }),
    ],
    [
      '.cookie.trustedPaths[0].path must be text that starts with a slash',
      trusting({ plugin: 'proxy' }),
    ],
    [
      '.cookie.trustedPaths[0].path ',
      ...[
        ...['/api/proxy/a', '/a/*', '/a/', '/a/**/b', '/a//b', '/a/../b'],
        ...['/:a', '/a b'],
      ].map(path => trusting({ plugin: 'proxy', path })),
    ],
    [
      '.signOut.scope must be one of session, user',
      { signOut: { scope: 'all' } },
    ],
    [
      '.signOut.provider is not known: use scope, providers',
      { signOut: { provider: [] } },
    ],
    ['.signOut.providers must be a list', { signOut: { providers: 'github' } }],
    [
      '.signOut.offlineSessions must be one of keep, end',
      { signOut: { scope: 'user', offlineSessions: 'yes' } },
    ],
    [
      '.signOut.offlineSessions must be keep unless auth.apiGate.signOut.scope is user',
      { signOut: { offlineSessions: 'end' } },
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
    [
      '.revocation.pollInterval must be a duration',
      // YAML has `.nan`.
      ...[0, '10ms', '1h', 'often', { seconds: NaN }].map(pollInterval => ({
        revocation: { pollInterval },
      })),
    ],
    ['.revocation.interval is not known', { revocation: { interval: '2s' } }],
    ['.tokenCache must be false, or an object', { tokenCache: true }],
    ['.tokenCache.ttl must be a duration', { tokenCache: { ttl: '1h' } }],
    ['.tokenCache.max is not known', { tokenCache: { max: 1 } }],
    ['.mode must be one of enforce, report-only', { mode: 'report' }],
    ['.until says when report-only ends', { until: '2026-12-31' }],
    [
      '.until must be a date',
      ...[
        ...['2026-12-31T18:00', '2026-02-30', '2026-13-01', 'tomorrow'],
        1_800_000_000,
      ].map(until => ({ mode: 'report-only', until })),
    ],
    ['.audit must be an object with the keys clientAddress', { audit: true }],
    [
      '.audit.clientAdress is not known: use clientAddress',
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
      'allow must be a list of rules, each with a plugin and a path',
    ],
    [
      { expect: 'all' },
      'expect must be a list of expectations, such as [{ plugin: catalog, is: closed }]',
    ],
    ...['a.example.com', 'ftp://a.example.com/https:'].map(
      (issuer): [JsonObject, string] => [
        { issuers: ['http://b.example.com/api/auth', issuer] },
        'issuers[1] must be the URL that the other deployment\'s tokens carry as "iss", such as https://backstage.example.com/api/auth',
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
    ['Auth', 'apiGate'],
  ])('refuses the key %s.%s', (section, key) => {
    const backend = { baseUrl: 'https://backstage.example.com' };
    const readFor = (config: JsonObject) =>
      readApiGateConfig(new ConfigReader({ backend, ...config }));
    expect(() => readFor({ [section]: { [key]: {} } })).toThrow(
      new InputError(`${section}.${key} is not known: write auth.apiGate`),
    );
    expect(readFor({ other: { [key]: {} } }).mode).toBe('enforce');
    expect(readFor({ auth: { [`${key}s`]: {} } }).mode).toBe('enforce');
  });

  it('keeps the reason why the candidate is wrong', () => {
    expect(read({ candidate: { allow: 'all' } }).candidate).toEqual({
      problem:
        'auth.apiGate.candidate.allow must be a list of rules, each with a plugin and a path',
    });
  });

  it('refuses an expectation of a plugin that is not known', () => {
    const config = new ConfigReader({
      backend: { baseUrl: 'https://backstage.example.com' },
      auth: {
        apiGate: { expect: [{ request: 'GET /api/wiki/a', is: 'closed' }] },
      },
    });
    const readFor = (isKnownPlugin: (id: string) => boolean) =>
      readApiGateConfig(config, { isKnownPlugin });
    expect(readFor(id => id === 'wiki').expect).toHaveLength(1);
    expect(() => readFor(() => false)).toThrow(
      /^auth\.apiGate\.expect\[0\]\.request names the plugin wiki, /,
    );
  });

  it.each<[JsonValue, string]>([
    [
      { cookie: { sameSite: 'none' } },
      'auth.apiGate.cookie.sameSite must be lax or strict',
    ],
    [
      { cookie: { name: '__Host-token' } },
      'auth.apiGate.cookie.name must not start with __Host-',
    ],
    [
      { cookie: { name: '__Secure-token' } },
      'auth.apiGate.cookie.name must not start with __Secure-',
    ],
  ])('refuses %j without https', (apiGate, message) => {
    expect(() => read(apiGate, 'http://backstage.example.com')).toThrow(
      message,
    );
    expect(() => read(apiGate)).not.toThrow();
  });

  it('takes what browsers take', () => {
    expect(
      read({ cookie: { domain: 'example.com', sameSite: 'none' } }).cookie
        .attributes,
    ).toEqual({
      domain: 'example.com',
      httpOnly: true,
      path: '/',
      sameSite: 'none',
      secure: true,
    });
    expect(
      read({ issuers: ['https://a.example.com/api/auth'] }).issuers,
    ).toHaveLength(1);
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

  it('reads the paths that the cookie is trusted at', () => {
    const trustedPaths = [
      { plugin: 'proxy', path: '/sonar/**' },
      { plugin: 'reports', path: '/**' },
    ];
    const config = read({ cookie: { trustedPaths } });
    expect(config.trustedPaths).toEqual(trustedPaths);
  });

  it('knows the providers that sign users in', () => {
    const config = new ConfigReader({
      backend: { baseUrl: 'https://api.example.com' },
      auth: {
        providers: {
          Okta: { production: { clientId: 'x', signIn: { resolvers: [] } } },
          proxy: { signIn: { resolvers: [] } },
          github: { production: { clientId: 'x' } },
          guest: {},
        },
        apiGate: {
          signOut: { providers: ['guest'] },
          revocation: { pollInterval: { minutes: 1 } },
        },
      },
    });
    const { signOut, revocation } = readApiGateConfig(config);
    expect([...signOut.providers]).toEqual(['okta', 'proxy', 'guest']);
    expect(revocation.pollIntervalMs).toBe(60_000);
  });

  it.each([
    ['2026-12-31', '2026-12-31T00:00:00.000Z'],
    ['2026-12-31T18:00:00Z', '2026-12-31T18:00:00.000Z'],
    ['2026-12-31T18:00+02:00', '2026-12-31T16:00:00.000Z'],
  ])('reads until: %s', (until, expected) => {
    const config = read({ mode: 'report-only', until });
    expect(config.until?.toISOString()).toBe(expected);
  });

  it('reads tokenCache', () => {
    expect(read({ tokenCache: false }).tokenCache).toBeUndefined();
    expect(read({ tokenCache: { ttl: '5s' } }).tokenCache).toEqual({
      ttlMs: 5000,
    });
  });

  it('reads operators without case', () => {
    expect(
      read({ operators: ['Group:default/Platform', 'user:default/jörg'] })
        .operators,
    ).toEqual(new Set(['group:default/platform', 'user:default/jörg']));
  });
});
