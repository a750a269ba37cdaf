import { ConfigReader } from '@backstage/config';
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
});
