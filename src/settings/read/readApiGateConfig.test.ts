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
      closed: [],
      mode: 'enforce',
      until: undefined,
      tokens: undefined,
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
        providers: new Set(),
      },
      operators: new Set(),
      mcpPaths: new Set(),
      audit: { clientAddress: false },
      acceptedFindings: [],
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
      '.alow is not known (did you mean allow?): use mode, until, allow, closed, credentialHeader, foreignAuthorization, tokens, cookie, signOut, operators, audit, findings',
      { alow: [] },
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
      { closed: ['catalog', 'Search'] },
      'closed[1] must be the id of a plugin in lower case, such as catalog',
    ],
    [
      {
        closed: ['catalog'],
        allow: [
          { plugin: 'a', path: '/x' },
          { plugin: 'catalog', path: '/x', until: '2020-01-01' },
        ],
      },
      'allow[1] opens a path of the plugin catalog, which auth.apiGate.closed has: remove the rule, or the plugin from auth.apiGate.closed',
    ],
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

  it('reads operators without case', () => {
    const operators = ['Group:default/Platform', 'user:default/jörg'];
    expect(read({ operators }).operators).toEqual(
      new Set(['group:default/platform', 'user:default/jörg']),
    );
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
