import { randomBytes } from 'node:crypto';
import type { JsonObject } from '@backstage/types';
import type { Request, Response } from 'express';
import { answeringProvider } from '../__testUtils__/authProvider';
import { flakyDatabase } from '../__testUtils__/flakyDatabase';
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
});
