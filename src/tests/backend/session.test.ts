import { randomBytes } from 'node:crypto';
import {
  createServiceFactory,
  coreServices,
  DatabaseService,
} from '@backstage/backend-plugin-api';
import { databaseServiceFactory } from '@backstage/backend-defaults/database';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import { authProvider } from '../../__testUtils__/authProvider';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { until } from '../../__testUtils__/until';
import {
  SignedBackendOptions,
  signedBackends,
} from '../../__testUtils__/signedBackends';
import { freePort } from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const REVOCATIONS = '/api/auth/api-gate/v1/revocations';
const SAME_ORIGIN = 'Sec-Fetch-Site: same-origin';
const POLL = { milliseconds: 200 };

const backends = signedBackends();
afterEach(backends.stopAll);

/** A database that the replicas of a test share. */
interface Database {
  config(): JsonObject;
}

const sqlite: Database = {
  config: () => ({ client: 'better-sqlite3', connection: ':memory:' }),
};
const postgresUrl = process.env.API_GATE_TEST_POSTGRES;
const postgres: Database = {
  config: () => ({
    client: 'pg',
    connection: postgresUrl!,
    prefix: `test_${randomBytes(6).toString('hex')}_`,
  }),
};
const databases: [string, Database][] = [
  ['SQLite', sqlite],
  ...(postgresUrl ? [['PostgreSQL', postgres] as [string, Database]] : []),
];

async function start(
  options: SignedBackendOptions & { pluginId?: string } = {},
) {
  const { apiGate, features = [], pluginId = 'hello', ...others } = options;
  const hello = recordingPlugin(pluginId, {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  const loggedOut: Request[] = [];
  const answer = (req: Request, res: Response) => {
    loggedOut.push(req);
    res.json({ loggedOut: true });
  };
  // The test has two providers: one signs users in, the other connects accounts.
  const providers = ['signs-in', 'connects'].map(providerId =>
    authProvider(providerId, () => ({
      start: async (req, res) => answer(req, res),
      frameHandler: async (req, res) => answer(req, res),
      logout: async (req, res) => answer(req, res),
    })),
  );
  const backend = await backends.start({
    ...others,
    features: [
      hello.feature,
      ...(others.withAuth === false ? [] : providers),
      ...features,
    ],
    config: {
      ...others.config,
      auth: {
        providers: {
          'signs-in': { test: { signIn: { resolvers: [] } } },
          connects: { test: {} },
        },
      },
    },
    apiGate: { revocation: { pollInterval: POLL }, ...apiGate },
  });
  const { request } = backend;
  const status = async (headerLine: string, target = '/api/hello/x') =>
    (await request('GET', target, [headerLine])).status;
  return {
    ...backend,
    hello,
    loggedOut,
    status,
    withBearer: (token: string, target?: string) =>
      status(`Authorization: Bearer ${token}`, target),
    withCookie: (token: string, target?: string) =>
      status(`Cookie: token=${token}`, target),
    signOut: (token: string, ...headerLines: string[]) =>
      request('POST', '/api/auth/signs-in/logout', [
        `Cookie: a=1; token=${token}`,
        ...(headerLines.length ? headerLines : [SAME_ORIGIN]),
      ]),
    revokeUser: (token: string, userEntityRef: unknown) =>
      request(
        'POST',
        REVOCATIONS,
        [`Authorization: Bearer ${token}`, 'Content-Type: application/json'],
        JSON.stringify({ userEntityRef }),
      ),
  };
}

const clearing = [
  'token=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  'token=; Domain=localhost; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
].join('\n');

describe.each(databases)('sign-out, on %s', (_, database) => {
  const withDatabase = () => ({
    config: { backend: { database: database.config() } },
  });

  it.each([
    ['POST', '/api/auth/signs-in/logout', 200],
    ['POST', '/api/auth/SIGNS-IN/logout', 200],
    ['DELETE', `/api/hello${COOKIE_ENDPOINT}`, 204],
    ['DELETE', `/api/auth${COOKIE_ENDPOINT}`, 204],
  ])(
    '%s %s ends the session, clears the cookie and reaches its handler',
    async (method, target, expected) => {
      const backend = await start(withDatabase());
      const token = await backend.sign();
      const other = await backend.sign({ sub: 'user:default/other' });
      expect(await backend.withCookie(token)).toBe(200);

      const signedOut = await backend.request(method, target, [
        `Cookie: a=1; token=${token}`,
        SAME_ORIGIN,
      ]);
      expect(signedOut.status).toBe(expected);
      expect(signedOut.headers['set-cookie']).toContain(clearing);
      expect(signedOut.headers['cache-control']).toBe('no-store');
      // The handler of the provider ran, without the gate's cookie, or the stock handler that clears Backstage's own cookie.
      expect(backend.loggedOut.map(({ headers }) => headers.cookie)).toEqual(
        method === 'POST' ? ['a=1'] : [],
      );
      expect(
        signedOut.headers['set-cookie']?.includes('backstage-auth=;'),
      ).toBe(method === 'DELETE');

      const before = backend.hello.handled.length;
      for (const headerLine of [
        `Authorization: Bearer ${token}`,
        `Cookie: token=${token}`,
      ]) {
        const refused = await backend.request('GET', '/api/hello/x', [
          headerLine,
        ]);
        expect(refused.status).toBe(401);
        expect(JSON.parse(refused.body).error.name).toBe('AuthenticationError');
      }
      expect(backend.hello.handled.length).toBe(before);
      expect(await backend.withBearer(other)).toBe(200);
    },
  );

  it('ends the limited token, and service tokens on behalf of the user', async () => {
    const docs = recordingPlugin('docs', {
      policies: [{ path: '/static', allow: 'user-cookie' }],
    });
    const backend = await start({
      ...withDatabase(),
      features: [docs.feature],
    });
    const token = await backend.sign();
    const credentials = await docs.auth.authenticate(token);
    const { token: limited } = await docs.auth.getLimitedUserToken(
      credentials as never,
    );
    const onBehalfOf = async (targetPluginId: string) => {
      const { token: serviceToken } = await docs.auth.getPluginRequestToken({
        onBehalfOf: credentials,
        targetPluginId,
      });
      return serviceToken;
    };
    const [forHello, forAuth] = [
      await onBehalfOf('hello'),
      await onBehalfOf('auth'),
    ];
    const statuses = async () => [
      await backend.status(
        `Cookie: backstage-auth=${limited}`,
        '/api/docs/static/x',
      ),
      await backend.withBearer(forHello),
      await backend.withBearer(token, '/api/auth/signs-in/start'),
      await backend.withBearer(forAuth, '/api/auth/signs-in/start'),
    ];
    expect(await statuses()).not.toContain(401);
    await backend.signOut(token);
    expect(await statuses()).toEqual([401, 401, 401, 401]);
    // A service that acts for no user, and a new sign-in, are still accepted.
    expect(await backend.withBearer(await docs.tokenFor('hello'))).toBe(200);
    expect(
      (await backend.request('POST', '/api/auth/signs-in/logout')).status,
    ).toBe(200);
  });

  it('[P10] refuses every spelling of the token', async () => {
    const backend = await start(withDatabase());
    const token = await backend.sign();
    await backend.signOut(token);
    const [header, payload, signature] = token.split('.');
    const bytes = Buffer.from(signature, 'base64url');
    // The other signature of the same message is (r, n - s).
    const order = BigInt(
      '0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
    );
    const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
    const twin = Buffer.concat([
      bytes.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
    ]).toString('base64url');
    const spellings = [
      token,
      `${header}.${payload}.${twin}`,
      `${header}.${payload}.${signature}=`,
      `${header}.${payload}.${signature}==`,
      token.replace(/-/g, '+').replace(/_/g, '/'),
    ];
    for (const spelling of spellings) {
      expect(await backend.withBearer(spelling)).toBe(401);
      expect(await backend.withCookie(spelling)).toBe(401);
    }
    expect(await backend.withCookie(token.replace('e', '%65'))).toBe(401);
    expect(await backend.withCookie(`"${token}"`)).toBe(401);
    // The twin is valid: its claims are refused. The log has one line a second, with the number of lines that it left out.
    const revoked = () =>
      backend.log
        .map(({ meta }) => meta as { reason?: string; omitted?: number })
        .filter(meta => meta?.reason === 'revoked')
        .reduce((sum, { omitted = 0 }) => sum + 1 + omitted, 0);
    await until(() => revoked() > 3);
  });

  it('[P10] is seen by other replicas within the interval, and by one that starts later', async () => {
    if (database === sqlite) {
      return;
    }
    const shared = withDatabase();
    const iss = 'http://backstage.example.com/api/auth';
    const apiGate = { issuers: [iss] };
    const [one, two] = [
      await start({ ...shared, apiGate }),
      await start({ ...shared, apiGate }),
    ];
    const token = await backends.key.sign({ iss });
    expect([await one.withBearer(token), await two.withBearer(token)]).toEqual([
      200, 200,
    ]);
    await one.signOut(token);
    expect(await one.withBearer(token)).toBe(401);
    const signedOutAt = Date.now();
    await until(async () => (await two.withBearer(token)) === 401);
    expect(Date.now() - signedOutAt).toBeLessThan(1_200);
    const three = await start({ ...shared, apiGate });
    expect(await three.withBearer(token)).toBe(401);
  });

  it('scope user: ends the tokens of every page load; scope session: that of the cookie', async () => {
    for (const [scope, expected] of [
      ['user', 401],
      ['session', 200],
    ] as const) {
      const backend = await start({
        ...withDatabase(),
        apiGate: { signOut: { scope } },
      });
      const iat = Math.floor(Date.now() / 1000) - 10;
      const [first, second] = [
        await backend.sign({ iat }),
        await backend.sign({ iat: iat + 5 }),
      ];
      await backend.signOut(second);
      expect(await backend.withBearer(second)).toBe(401);
      expect(await backend.withBearer(first)).toBe(expected);
      const later = await backend.sign({
        iat: Math.floor(Date.now() / 1000) + 2,
      });
      expect(await backend.withBearer(later)).toBe(200);
    }
  });

  it('ends the session of a bearer that comes with it', async () => {
    const backend = await start(withDatabase());
    const iat = Math.floor(Date.now() / 1000) - 10;
    const [inCookie, asBearer] = [
      await backend.sign({ iat }),
      await backend.sign({ iat: iat + 5 }),
    ];
    await backend.signOut(
      inCookie,
      SAME_ORIGIN,
      `Authorization: Bearer ${asBearer}`,
    );
    expect(await backend.withBearer(inCookie)).toBe(401);
    expect(await backend.withBearer(asBearer)).toBe(401);
  });

  it('everywhere: by a service, and by a user for themselves', async () => {
    const backend = await start(withDatabase());
    const iat = Math.floor(Date.now() / 1000) - 10;
    const [mine, others] = [
      await backend.sign({ iat }),
      await backend.sign({ iat, sub: 'user:default/other' }),
    ];
    // Without permission.enabled, Backstage allows everything to everybody.
    expect((await backend.revokeUser(mine, 'user:default/other')).status).toBe(
      403,
    );
    expect(await backend.withBearer(others)).toBe(200);
    const service = await backend.hello.tokenFor('auth');
    expect(
      (await backend.revokeUser(service, 'user:default/other')).status,
    ).toBe(201);
    expect(await backend.withBearer(others)).toBe(401);
    expect(await backend.withBearer(mine)).toBe(200);
    expect((await backend.revokeUser(mine, 'User:default/TEST')).status).toBe(
      201,
    );
    expect(await backend.withBearer(mine)).toBe(401);
  });
});

describe('a sign-out call', () => {
  it('without a cookie goes on as it came', async () => {
    const backend = await start();
    for (const headerLines of [[], ['Sec-Fetch-Site: cross-site']]) {
      const { status, headers } = await backend.request(
        'POST',
        '/api/auth/signs-in/logout',
        headerLines,
      );
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBeUndefined();
    }
    const { status } = await backend.request(
      'DELETE',
      `/api/hello${COOKIE_ENDPOINT}`,
    );
    expect(status).toBe(204);
  });

  it('with a bearer alone ends its session', async () => {
    const backend = await start();
    const token = await backend.sign();
    const { status, headers } = await backend.request(
      'DELETE',
      `/api/hello${COOKIE_ENDPOINT}`,
      [`Authorization: Bearer ${token}`],
    );
    expect(status).toBe(204);
    expect(headers['set-cookie']).toMatch(/^backstage-auth=;[^\n]*$/);
    expect(await backend.withBearer(token)).toBe(401);
  });

  it.each([
    ['expired', () => ({ exp: Math.floor(Date.now() / 1000) - 10 })],
    ['of a foreign issuer', () => ({ iss: 'https://evil.example.com' })],
  ])('with a cookie that is %s clears it and goes on', async (_, claims) => {
    const backend = await start();
    const { status, headers } = await backend.signOut(
      await backend.sign(claims()),
    );
    expect(status).toBe(200);
    expect(headers['set-cookie']).toBe(clearing);
    expect(backend.loggedOut).toHaveLength(1);
  });

  it('of another site is 403, ends nothing and clears nothing', async () => {
    const backend = await start();
    const token = await backend.sign();
    for (const headerLine of [
      'Sec-Fetch-Site: cross-site',
      'Origin: https://evil.example.com',
      'Origin: null',
    ]) {
      const { status, headers, body } = await backend.signOut(
        token,
        headerLine,
      );
      expect(status).toBe(403);
      expect(headers['set-cookie']).toBeUndefined();
      expect(body).toContain('auth.apiGate.cookie.trustedOrigins');
      expect(body).not.toContain('evil');
    }
    expect(backend.loggedOut).toHaveLength(0);
    expect(await backend.withCookie(token)).toBe(200);
  });

  it('is not the disconnecting of an account, unless it is listed', async () => {
    const [plain, listed] = [
      await start(),
      await start({ apiGate: { signOut: { providers: ['connects'] } } }),
    ];
    for (const [backend, expected] of [
      [plain, 200],
      [listed, 401],
    ] as const) {
      const mine = await backend.sign();
      await backend.request('POST', '/api/auth/connects/logout', [
        `Cookie: token=${mine}`,
        SAME_ORIGIN,
      ]);
      expect(backend.loggedOut).toHaveLength(1);
      expect(await backend.withCookie(mine)).toBe(expected);
    }
  });

  it('twice has the same result as once', async () => {
    const backend = await start();
    const token = await backend.sign();
    for (let i = 0; i < 2; i += 1) {
      const { status, headers } = await backend.signOut(token);
      expect(status).toBe(200);
      expect(headers['set-cookie']).toBe(clearing);
    }
  });
});

describe('a revoked session', () => {
  it('can not end later sessions', async () => {
    const backend = await start({ apiGate: { signOut: { scope: 'user' } } });
    const iat = Math.floor(Date.now() / 1000) - 10;
    const ended = await backend.sign({ iat });
    await backend.signOut(ended);
    await new Promise(resolve => setTimeout(resolve, 1_100));
    const later = await backend.sign();
    await new Promise(resolve => setTimeout(resolve, 1_100));
    expect((await backend.signOut(ended)).status).toBe(200);
    expect(await backend.withBearer(later)).toBe(200);
  });

  it('is refused as bearer on a public path, whose handler may look at it', async () => {
    const backend = await start({
      apiGate: { allow: [{ plugin: 'hello', path: '/open' }] },
    });
    const token = await backend.sign();
    expect(await backend.withBearer(token, '/api/hello/open')).toBe(200);
    await backend.signOut(token);
    expect(await backend.withBearer(token, '/api/hello/open')).toBe(401);
    expect((await backend.request('GET', '/api/hello/open')).status).toBe(200);
  });

  it("does not keep Backstage's own cookie from being issued again", async () => {
    const backend = await start({ apiGate: { cookie: { enabled: false } } });
    const target = `/api/hello${COOKIE_ENDPOINT}`;
    const stockCookieOf = async (token: string, ...headerLines: string[]) => {
      const { headers } = await backend.request('GET', target, [
        `Authorization: Bearer ${token}`,
        ...headerLines,
      ]);
      return headers['set-cookie']?.split(';')[0];
    };
    const iat = Math.floor(Date.now() / 1000) - 10;
    const [first, second] = [
      await backend.sign({ iat }),
      await backend.sign({ iat: iat + 5 }),
    ];
    const stockCookie = await stockCookieOf(first);
    expect(stockCookie).toMatch(/^backstage-auth=/);
    expect(
      await stockCookieOf(second, `Cookie: ${stockCookie}`),
    ).toBeUndefined();
    await backend.request('DELETE', target, [`Authorization: Bearer ${first}`]);
    expect(await stockCookieOf(second, `Cookie: a=1; ${stockCookie}`)).toMatch(
      /^backstage-auth=/,
    );
  });
});

describe('POST /api/auth/api-gate/v1/revocations', () => {
  it('needs a credential and a valid body', async () => {
    const backend = await start();
    const service = await backend.hello.tokenFor('auth');
    const user = await backend.sign();
    const post = (headerLines: string[], body: string) =>
      backend.request(
        'POST',
        REVOCATIONS,
        ['Content-Type: application/json', ...headerLines],
        body,
      );
    expect((await post([], '{"userEntityRef":"user:default/a"}')).status).toBe(
      401,
    );
    expect((await backend.request('GET', REVOCATIONS)).status).toBe(401);
    expect(
      (
        await backend.request('GET', REVOCATIONS, [
          `Authorization: Bearer ${user}`,
        ])
      ).status,
    ).toBe(403);
    expect(
      (
        await post(
          [`Authorization: Bearer ${user}`],
          '{"sub":"user:default/a","iat":1,"exp":2}',
        )
      ).status,
    ).toBe(403);
    for (const [body, field] of [
      ['{"userEntityRef":5}', 'userEntityRef'],
      ['{"userEntityRef":""}', 'userEntityRef'],
      ['{"userEntityRef":"jane"}', 'userEntityRef'],
      ['{"userEntityRef":"user:default/a","x":1}', 'x is not known'],
      ['{}', 'userEntityRef'],
      ['[]', 'userEntityRef'],
      ['{"sub":"user:default/a","iat":"1","exp":2}', 'iat'],
      ['{"sub":"user:default/a","iat":1}', 'exp'],
      ['{"sub":"user:default/a","iat":1,"exp":2,"scope":"all"}', 'scope'],
      ['{"sub":"","iat":1,"exp":2}', 'sub'],
      ['{"sub":"a\\u0000b","iat":1,"exp":2}', 'sub'],
      ['{"sub":"user:default/a","iat":99999999999,"exp":99999999999}', 'iat'],
      ['{"sub":"user:default/a","iat":1,"exp":99999999999}', 'exp'],
      ['{"sub":"user:default/a","iat":2,"exp":1}', 'exp'],
      ['{', 'JSON'],
    ]) {
      const response = await post([`Authorization: Bearer ${service}`], body);
      expect([body, response.status]).toEqual([body, 400]);
      expect(JSON.parse(response.body).error.message).toContain(field);
    }
  });

  it('is not for an external token that is restricted to other permissions', async () => {
    const restricted = 'restricted-static-token';
    const backend = await start({
      config: {
        backend: {
          auth: {
            externalAccess: [
              {
                type: 'static',
                options: { token: restricted, subject: 'script' },
                accessRestrictions: [
                  { plugin: 'auth', permission: 'catalog.entity.read' },
                ],
              },
            ],
          },
        },
      },
    });
    const auth = `Authorization: Bearer ${restricted}`;
    const now = Math.floor(Date.now() / 1000);
    for (const body of [
      '{"userEntityRef":"user:default/a"}',
      `{"sub":"user:default/a","iat":${now},"exp":${now}}`,
    ]) {
      const { status } = await backend.request(
        'POST',
        REVOCATIONS,
        [auth, 'Content-Type: application/json'],
        body,
      );
      expect(status).toBe(403);
    }
    expect((await backend.request('GET', REVOCATIONS, [auth])).status).toBe(
      403,
    );
    // The gate ignores a sign-out with the token.
    const { status } = await backend.request(
      'DELETE',
      `/api/auth${COOKIE_ENDPOINT}`,
      [auth],
    );
    expect(status).toBe(204);
  });

  it('accepts every valid entity reference of a user', async () => {
    const backend = await start();
    const service = await backend.hello.tokenFor('auth');
    for (const ref of ['user:default/jane@example.com', 'user:default/jörg']) {
      const iat = Math.floor(Date.now() / 1000) - 10;
      const token = await backend.sign({ iat, sub: ref });
      expect(await backend.withBearer(token)).toBe(200);
      const body = Buffer.from(JSON.stringify({ userEntityRef: ref })).toString(
        'latin1',
      );
      const { status } = await backend.request(
        'POST',
        REVOCATIONS,
        [`Authorization: Bearer ${service}`, 'Content-Type: application/json'],
        body,
      );
      expect(status).toBe(201);
      expect(await backend.withBearer(token)).toBe(401);
    }
  });
});

describe('[P7] while the database is gone', () => {
  it('revoked sessions stay refused, and a sign-out is 503 and written when the database is back', async () => {
    let gone = false;
    const { deps, factory } = databaseServiceFactory as any;
    // Queries of the gate's table fail, to simulate a lost database, which SQLite in memory can't have.
    const flakyDatabase = createServiceFactory({
      service: coreServices.database,
      deps,
      createRootContext: (databaseServiceFactory as any).createRootContext,
      factory: async (...args: unknown[]) => {
        const database: DatabaseService = await factory(...args);
        return {
          ...database,
          getClient: async () => {
            const client = await database.getClient();
            return new Proxy(client, {
              apply(target, self, [table]) {
                if (gone && table === 'api_gate_revocations') {
                  throw new Error('the database is gone');
                }
                return Reflect.apply(target, self, [table]);
              },
            });
          },
        };
      },
    } as never);
    const backend = await start({ features: [flakyDatabase as never] });
    const iat = Math.floor(Date.now() / 1000) - 100;
    const [before, during, other] = [
      await backend.sign({ iat }),
      await backend.sign({ iat: iat + 1 }),
      await backend.sign({ iat: iat + 2 }),
    ];
    await backend.signOut(before);
    gone = true;
    const answer = await backend.signOut(during);
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBeDefined();
    expect(answer.headers['set-cookie']).toBe(clearing);
    expect(answer.body).toContain('Signed out at this replica');
    expect(backend.loggedOut).toHaveLength(1);
    expect(await backend.withBearer(before)).toBe(401);
    expect(await backend.withBearer(during)).toBe(401);
    expect(await backend.withBearer(other)).toBe(200);
    const service = await backend.hello.tokenFor('auth');
    expect(
      (await backend.revokeUser(service, 'user:default/else')).status,
    ).toBe(503);

    const warnings = () =>
      backend.log.filter(
        ({ level, message }) =>
          level === 'warn' && message.includes('list of revoked sessions'),
      );
    await until(() => warnings().length > 0);
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(warnings()).toHaveLength(1);

    gone = false;
    const list = async () =>
      JSON.parse(
        (
          await backend.request('GET', REVOCATIONS, [
            `Authorization: Bearer ${service}`,
          ])
        ).body,
      ).revocations as { iat: number }[];
    await until(async () => (await list()).length === 3);
    expect((await list()).map(({ iat: at }) => at)).toEqual(
      expect.arrayContaining([iat, iat + 1]),
    );
  });
});

describe('a backend without the auth plugin', () => {
  async function startBoth(options: { gateAtAuth?: boolean } = {}) {
    const [authPort, otherPort] = [await freePort(), await freePort()];
    const discovery = (port: number, ...plugins: string[]) => ({
      discovery: {
        endpoints: [
          { target: `http://localhost:${port}/api/{{pluginId}}`, plugins },
        ],
      },
    });
    const startAuth = () =>
      start({
        port: authPort,
        withGate: options.gateAtAuth,
        config: discovery(otherPort, 'other'),
      });
    const startOther = () =>
      start({
        port: otherPort,
        withAuth: false,
        pluginId: 'other',
        config: discovery(authPort, 'auth'),
      });
    const iss = `http://localhost:${authPort}/api/auth`;
    return { startAuth, startOther, token: await backends.key.sign({ iss }) };
  }

  const atOther = '/api/other/x';

  it('follows the list of the backend that has it', async () => {
    const { startAuth, startOther, token } = await startBoth();
    const [auth, other] = [await startAuth(), await startOther()];
    await until(async () => (await other.withBearer(token, atOther)) === 200);
    await auth.signOut(token);
    await until(async () => (await other.withBearer(token, atOther)) === 401);
  });

  it('signs out there', async () => {
    const { startAuth, startOther, token } = await startBoth();
    const [auth, other] = [await startAuth(), await startOther()];
    await until(async () => (await other.withBearer(token, atOther)) === 200);
    const signedOut = await other.request(
      'DELETE',
      `/api/other${COOKIE_ENDPOINT}`,
      [`Cookie: token=${token}`, SAME_ORIGIN],
    );
    expect(signedOut.status).toBe(204);
    expect(signedOut.headers['set-cookie']).toContain(clearing);
    expect(await other.withBearer(token, atOther)).toBe(401);
    expect(await auth.withBearer(token)).toBe(401);
  });

  it('lets no user in until it has the list', async () => {
    const { startAuth, startOther, token } = await startBoth();
    const other = await startOther();
    const answer = () =>
      other.request('GET', atOther, [`Authorization: Bearer ${token}`]);
    const { status, headers } = await answer();
    expect(status).toBe(503);
    expect(headers['retry-after']).toMatch(/^\d+$/);
    await startAuth();
    await until(async () => (await other.withBearer(token, atOther)) === 200);
  });

  it('keeps its revocations, and answers 503 to a sign-out, while that backend is gone', async () => {
    const { startAuth, startOther, token } = await startBoth();
    const auth = await startAuth();
    const other = await startOther();
    await until(async () => (await other.withBearer(token, atOther)) === 200);
    await auth.stop();
    expect(await other.withBearer(token, atOther)).toBe(200);
    const signedOut = await other.request(
      'DELETE',
      `/api/other${COOKIE_ENDPOINT}`,
      [`Cookie: token=${token}`, SAME_ORIGIN],
    );
    expect(signedOut.status).toBe(503);
    expect(await other.withBearer(token, atOther)).toBe(401);
    const again = await startAuth();
    await until(async () => (await again.withBearer(token)) === 401);
  });

  it('warns once where that backend has no gate, and goes on', async () => {
    const { startAuth, startOther, token } = await startBoth({
      gateAtAuth: false,
    });
    await startAuth();
    const other = await startOther();
    await until(async () => (await other.withBearer(token, atOther)) === 200);
    await new Promise(resolve => setTimeout(resolve, 600));
    expect(
      other.log.filter(({ message }) => message.includes('has no API gate')),
    ).toHaveLength(1);
  });
});
