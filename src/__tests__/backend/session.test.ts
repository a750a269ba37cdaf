import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import { answeringProvider } from '../__testUtils__/authProvider';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { flakyDatabase } from '../__testUtils__/flakyDatabase';
import {
  identityProvider,
  identityProviderConfig,
  IdentityProviderSession,
  Laptop,
} from '../__testUtils__/identityProvider';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  now,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { discovery } from '../__testUtils__/startBackend';
import { until } from '../__testUtils__/until';

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
afterEach(backends.stopAll);

const postgresUrl = process.env.API_GATE_TEST_POSTGRES;
const describeOnPostgres = postgresUrl ? describe : describe.skip;

/** Creates a database that the replicas of a test share. */
const onPostgres = () => ({
  backend: {
    database: {
      client: 'pg',
      connection: postgresUrl!,
      prefix: `test_${randomBytes(6).toString('hex')}_`,
    },
  },
});

async function start(
  options: SignedBackendOptions & { pluginId?: string } = {},
) {
  const { apiGate, features = [], pluginId = 'hello', ...others } = options;
  const hello = recordingPlugin(pluginId, {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  });
  const loggedOut: Request[] = [];
  const answer = async (req: Request, res: Response) => {
    loggedOut.push(req);
    res.json({ loggedOut: true });
  };
  // The test has two providers: one signs users in, the other connects accounts.
  const providers = ['signs-in', 'connects'].map(providerId =>
    answeringProvider(providerId, answer),
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
    apiGate,
  });
  const { request, statusOf } = backend;
  const atPlugin = `/api/${pluginId}/x`;
  return {
    ...backend,
    hello,
    loggedOut,
    withBearer: (token: string, target = atPlugin) =>
      statusOf(target, bearer(token)),
    withCookie: (token: string) => statusOf(atPlugin, cookie(token)),
    signOut: (token: string) =>
      request('POST', '/api/auth/signs-in/logout', [
        `Cookie: a=1; token=${token}`,
        SAME_ORIGIN,
      ]),
    signOutHere: (token: string) => backend.signOut(cookie(token), pluginId),
  };
}

const clearing = [
  'token=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
  'token=; Domain=localhost; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; SameSite=Lax',
].join('\n');

const databases: [string, () => JsonObject][] = [['SQLite', () => ({})]];
if (postgresUrl) {
  databases.push(['PostgreSQL', onPostgres]);
}

describe.each(databases)('sign-out, on %s', (_, config) => {
  it.each([
    ['POST', '/api/auth/signs-in/logout', 200],
    ['POST', '/api/auth/SIGNS-IN/logout', 200],
    ['DELETE', `/api/hello${COOKIE_ENDPOINT}`, 204],
    ['DELETE', `/api/auth${COOKIE_ENDPOINT}`, 204],
  ])(
    '%s %s ends the session, clears the cookie and reaches its handler',
    async (method, target, expected) => {
      const backend = await start({ config: config() });
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
      for (const headerLine of [bearer(token), cookie(token)]) {
        const refused = await backend.get('/api/hello/x', headerLine);
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
    const backend = await start({ config: config(), features: [docs.feature] });
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
      await backend.statusOf(
        '/api/docs/static/x',
        `Cookie: backstage-auth=${limited}`,
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
});

describeOnPostgres('a sign-out', () => {
  it('[P10] is seen by other replicas within the interval, and by one that starts later', async () => {
    const external = 'http://backstage.example.com/api/{{pluginId}}';
    const iss = external.replace('{{pluginId}}', 'auth');
    const endpoints = [{ target: { external }, plugins: ['auth'] }];
    const options = { config: { ...onPostgres(), discovery: { endpoints } } };
    const [one, two] = [await start(options), await start(options)];
    const token = await backends.key.sign({ iss });
    expect([await one.withBearer(token), await two.withBearer(token)]).toEqual([
      200, 200,
    ]);
    await one.signOut(token);
    expect(await one.withBearer(token)).toBe(401);
    const signedOutAt = Date.now();
    await until(async () => (await two.withBearer(token)) === 401);
    expect(Date.now() - signedOutAt).toBeLessThan(1_200);
    const three = await start(options);
    expect(await three.withBearer(token)).toBe(401);
  });
});

describe('a sign-out call', () => {
  it('without a session goes on as it came, and so does the disconnecting of an account', async () => {
    const { loggedOut, request, sign, withCookie } = await start();
    for (const headerLines of [[], ['Sec-Fetch-Site: cross-site']]) {
      const target = '/api/auth/signs-in/logout';
      const { status, headers } = await request('POST', target, headerLines);
      expect([status, headers['set-cookie']]).toEqual([200, undefined]);
    }
    const token = await sign();
    await request('POST', '/api/auth/connects/logout', [
      cookie(token),
      SAME_ORIGIN,
    ]);
    expect(loggedOut).toHaveLength(3);
    expect(await withCookie(token)).toBe(200);
  });

  it('with a cookie that fails clears it, and goes on', async () => {
    const { loggedOut, sign, signOut } = await start();
    for (const claims of [
      { exp: now() - 10 },
      { iss: 'https://evil.example.com' },
    ]) {
      const { status, headers } = await signOut(await sign(claims));
      expect([status, headers['set-cookie']]).toEqual([200, clearing]);
    }
    expect(loggedOut).toHaveLength(2);
  });
});

it("a revoked session does not keep Backstage's own cookie from being issued again", async () => {
  const backend = await start({ apiGate: { cookie: { enabled: false } } });
  const target = `/api/hello${COOKIE_ENDPOINT}`;
  const stockCookieOf = async (...headerLines: string[]) => {
    const { headers } = await backend.get(target, ...headerLines);
    return headers['set-cookie']?.split(';')[0];
  };
  const [first, second] = [
    bearer(await backend.sign({ iat: now() - 10 })),
    bearer(await backend.sign({ iat: now() - 5 })),
  ];
  const stockCookie = await stockCookieOf(first);
  expect(stockCookie).toMatch(/^backstage-auth=/);
  expect(await stockCookieOf(second, `Cookie: ${stockCookie}`)).toBeUndefined();
  await backend.request('DELETE', target, [first]);
  expect(await stockCookieOf(second, `Cookie: a=1; ${stockCookie}`)).toMatch(
    /^backstage-auth=/,
  );
});

it('the routes of revocations are not for an external token that is restricted to other permissions', async () => {
  const restricted = 'restricted-static-token';
  const { post, request, statusOf } = await start({
    config: accessWith(
      staticToken(restricted, 'script', {
        plugin: 'auth',
        permission: 'catalog.entity.read',
      }),
    ),
  });
  for (const body of [
    { userEntityRef: 'user:default/a' },
    { sub: 'user:default/a', iat: now(), exp: now() },
  ]) {
    expect((await post(REVOCATIONS, restricted, body)).status).toBe(403);
  }
  expect(await statusOf(REVOCATIONS, bearer(restricted))).toBe(403);
  // The gate ignores a sign-out with the token.
  const { status } = await request('DELETE', `/api/auth${COOKIE_ENDPOINT}`, [
    bearer(restricted),
  ]);
  expect(status).toBe(204);
});

describe('[P7] while the database is gone', () => {
  it('revoked sessions stay refused, and a sign-out is 503 and written when the database is back', async () => {
    const database = flakyDatabase();
    const backend = await start({ features: [database.feature] });
    const iat = now() - 100;
    const [before, during, other] = [
      await backend.sign({ iat }),
      await backend.sign({ iat: iat + 1 }),
      await backend.sign({ iat: iat + 2 }),
    ];
    await backend.signOut(before);
    database.isGone = true;
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
    const body = { userEntityRef: 'user:default/else' };
    expect((await backend.post(REVOCATIONS, service, body)).status).toBe(503);

    const warnings = () => backend.logged('list of revoked sessions', 'warn');
    await until(() => warnings().length > 0);
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(warnings()).toHaveLength(1);

    database.isGone = false;
    const list = async () =>
      JSON.parse((await backend.get(REVOCATIONS, bearer(service))).body)
        .revocations as { iat: number }[];
    await until(async () => (await list()).length === 3);
    expect((await list()).map(({ iat: at }) => at)).toEqual(
      expect.arrayContaining([iat, iat + 1]),
    );
  });
});

describe('a backend without the auth plugin', () => {
  async function startBoth(options: { gateAtAuth?: boolean } = {}) {
    const [authPort, otherPort] = [await freePort(), await freePort()];
    return {
      startAuth: () =>
        start({
          port: authPort,
          withGate: options.gateAtAuth,
          config: discovery(otherPort, 'other'),
        }),
      startOther: () =>
        start({
          port: otherPort,
          withAuth: false,
          pluginId: 'other',
          config: discovery(authPort, 'auth'),
        }),
      sign: (sub: string) => backends.signFor(authPort, { sub }),
    };
  }

  it('lets no user in until it has the list of the backend that has it, follows that list, and signs out there', async () => {
    const { startAuth, startOther, sign } = await startBoth();
    const [jane, john] = [await sign('user:x/jane'), await sign('user:x/john')];
    const other = await startOther();
    const { status, headers } = await other.get('/api/other/x', bearer(jane));
    expect(status).toBe(503);
    expect(headers['retry-after']).toMatch(/^\d+$/);
    const auth = await startAuth();
    await until(async () => (await other.withBearer(jane)) === 200);

    await auth.signOut(jane);
    await until(async () => (await other.withBearer(jane)) === 401);

    const signedOut = await other.signOutHere(john);
    expect(signedOut.status).toBe(204);
    expect(signedOut.headers['set-cookie']).toContain(clearing);
    expect(await other.withBearer(john)).toBe(401);
    expect(await auth.withBearer(john)).toBe(401);
  });

  it('warns once where that backend has no gate, and goes on', async () => {
    const { startAuth, startOther, sign } = await startBoth({
      gateAtAuth: false,
    });
    const token = await sign('user:x/jane');
    await startAuth();
    const other = await startOther();
    await until(async () => (await other.withBearer(token)) === 200);
    await new Promise(resolve => setTimeout(resolve, 600));
    expect(other.logged('has no API gate')).toHaveLength(1);
  });
});

it("a session of the identity provider's signs the same browser in again after a sign-out everywhere, until it ends there", async () => {
  const jane = 'user:default/jane';
  const session = new IdentityProviderSession();
  const { endSessions, url } = await backends.start({
    features: [
      identityProvider(jane, session),
      recordingPlugin('hello').feature,
    ],
    config: identityProviderConfig,
  });
  const laptop = new Laptop(url);
  await laptop.signIn();
  const statusWith = async (token?: string) =>
    (await laptop.fetch('/api/hello/x', { Authorization: `Bearer ${token}` }))
      .status;
  const { token } = await laptop.loadPage();
  expect(await statusWith(token)).toBe(200);

  await endSessions(token!, jane);
  expect(await statusWith(token)).toBe(401);
  // The cookie of the session was refused, and cleared.
  expect((await laptop.fetch('/api/hello/x')).status).toBe(401);

  // A sign-out ends everything that was issued up to its second.
  await new Promise(resolve => setTimeout(resolve, 1_100));
  const reloaded = await laptop.loadPage();
  expect(await statusWith(reloaded.token)).toBe(200);

  session.end();
  expect(await laptop.loadPage()).toEqual({ status: 401, token: undefined });
  // The token from before stays valid until it expires.
  expect(await statusWith(reloaded.token)).toBe(200);
});
