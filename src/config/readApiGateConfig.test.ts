import { ConfigReader } from '@backstage/config';
import type { JsonValue } from '@backstage/types';
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

describe('readApiGateConfig', () => {
  it('has defaults', () => {
    const defaults = {
      allow: [],
      expect: [],
      mode: 'enforce',
      until: undefined,
      issuers: [],
      cookie: {
        enabled: true,
        name: 'token',
        attributes: {
          httpOnly: true,
          path: '/',
          sameSite: 'lax',
          secure: true,
        },
      },
      trustedOrigins: ['https://backstage.example.com'],
      signOut: { scope: 'session', providers: new Set() },
      revocation: { pollIntervalMs: 2000 },
      tokenCache: { ttlMs: 30000 },
      warnings: [],
    };
    expect(read(undefined)).toEqual(defaults);
    expect(read({})).toEqual(defaults);
    expect(read({}, 'http://localhost:7007').cookie.attributes.secure).toBe(
      false,
    );
  });

  it.each<[JsonValue, string]>([
    [true, 'auth.apiGate must be an object'],
    [[], 'auth.apiGate must be an object'],
    [
      { alow: [] },
      'auth.apiGate.alow is not known: use mode, until, allow, expect, issuers, cookie, signOut, revocation, tokenCache',
    ],
    [
      { issuers: 'https://a.example.com' },
      'auth.apiGate.issuers must be a list',
    ],
    [{ issuers: [''] }, 'auth.apiGate.issuers must be a list'],
    [{ issuers: ['a.example.com'] }, 'auth.apiGate.issuers[0] must be the URL'],
    [
      { issuers: ['ftp://a.example.com'] },
      'auth.apiGate.issuers[0] must be the URL',
    ],
    [{ cookie: { Name: 'x' } }, 'auth.apiGate.cookie.Name is not known'],
    [
      { cookie: { enabled: 'false' } },
      'auth.apiGate.cookie.enabled must be true or false',
    ],
    [
      { cookie: { name: '' } },
      'auth.apiGate.cookie.name must be a cookie name',
    ],
    [
      { cookie: { name: 'a b' } },
      'auth.apiGate.cookie.name must be a cookie name',
    ],
    [
      { cookie: { name: 'a;b' } },
      'auth.apiGate.cookie.name must be a cookie name',
    ],
    [
      { cookie: { name: 'backstage-auth' } },
      'auth.apiGate.cookie.name must not be',
    ],
    [
      { cookie: { sameSite: 'Lax' } },
      'auth.apiGate.cookie.sameSite must be one of strict, lax, none',
    ],
    [
      { cookie: { domain: 'example.org' } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { domain: 'ample.com' } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { domain: 'com' } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { domain: 5 } },
      'auth.apiGate.cookie.domain must be a domain that the host',
    ],
    [
      { cookie: { name: '__Host-token', domain: 'example.com' } },
      'auth.apiGate.cookie.domain must be left out',
    ],
    [
      { cookie: { trustedOrigins: 'https://a.example.com' } },
      'auth.apiGate.cookie.trustedOrigins must be a list',
    ],
    [
      { cookie: { trustedOrigins: ['*'] } },
      'auth.apiGate.cookie.trustedOrigins[0] must be one origin',
    ],
    [
      { cookie: { trustedOrigins: ['null'] } },
      'auth.apiGate.cookie.trustedOrigins[0] must be one origin',
    ],
    [
      { cookie: { trustedOrigins: ['https://*.example.com'] } },
      'auth.apiGate.cookie.trustedOrigins[0] must be one origin',
    ],
    [
      {
        cookie: {
          trustedOrigins: ['https://a.example.com', 'https://a.example.com/'],
        },
      },
      'auth.apiGate.cookie.trustedOrigins[1] must be one origin',
    ],
    [
      { cookie: { trustedOrigins: ['https://a.example.com:443'] } },
      'auth.apiGate.cookie.trustedOrigins[0] must be one origin',
    ],
    [
      { cookie: { trustedOrigins: ['a.example.com'] } },
      'auth.apiGate.cookie.trustedOrigins[0] must be one origin',
    ],
    [
      { signOut: { scope: 'all' } },
      'auth.apiGate.signOut.scope must be one of session, user',
    ],
    [
      { signOut: { provider: [] } },
      'auth.apiGate.signOut.provider is not known: use scope, providers',
    ],
    [
      { signOut: { providers: 'github' } },
      'auth.apiGate.signOut.providers must be a list',
    ],
    [
      { revocation: { pollInterval: 0 } },
      'auth.apiGate.revocation.pollInterval must be a duration',
    ],
    [
      { revocation: { pollInterval: '10ms' } },
      'auth.apiGate.revocation.pollInterval must be a duration',
    ],
    [
      { revocation: { pollInterval: '1h' } },
      'auth.apiGate.revocation.pollInterval must be a duration',
    ],
    [
      { revocation: { pollInterval: 'often' } },
      'auth.apiGate.revocation.pollInterval must be a duration',
    ],
    [
      { revocation: { interval: '2s' } },
      'auth.apiGate.revocation.interval is not known',
    ],
    [
      { tokenCache: true },
      'auth.apiGate.tokenCache must be false, or an object',
    ],
    [
      { tokenCache: { ttl: '1h' } },
      'auth.apiGate.tokenCache.ttl must be a duration',
    ],
    [{ tokenCache: { max: 1 } }, 'auth.apiGate.tokenCache.max is not known'],
    [
      { mode: 'report' },
      'auth.apiGate.mode must be one of enforce, report-only',
    ],
    [{ until: '2026-12-31' }, 'auth.apiGate.until says when report-only ends'],
    [
      { mode: 'report-only', until: '2026-12-31T18:00' },
      'auth.apiGate.until must be a date',
    ],
    [
      { mode: 'report-only', until: '2026-02-30' },
      'auth.apiGate.until must be a date',
    ],
    [
      { mode: 'report-only', until: '2026-13-01' },
      'auth.apiGate.until must be a date',
    ],
    [
      { mode: 'report-only', until: 'tomorrow' },
      'auth.apiGate.until must be a date',
    ],
    [
      { mode: 'report-only', until: 1_800_000_000 },
      'auth.apiGate.until must be a date',
    ],
  ])('refuses %j', (apiGate, message) => {
    expect(() => read(apiGate)).toThrow(message);
    expect(() => read(apiGate)).toThrow(/^[^\n]+$/);
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
});
