import type { JsonObject } from '@backstage/types';
import {
  oauthConfig,
  refresh,
  signInClient,
} from '../__testUtils__/oauthClients';
import { recordingAuditor } from '../__testUtils__/recordingAuditor';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, REVOCATIONS } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { discovery } from '../__testUtils__/startBackend';
import { until } from '../__testUtils__/until';

// Goes in October 2027: `auth` plugins before November 2026 have no route that ends refresh tokens.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const hasRoute = release >= '2026-11';
const describeWithRoute = hasRoute ? describe : describe.skip;

const USER = 'user:development/guest';

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
jest.setTimeout(120_000);
afterEach(backends.stopAll);

async function start(
  options: SignedBackendOptions & {
    auth?: JsonObject;
    plugin?: string;
    audit?: object[];
  } = {},
) {
  const { auth, apiGate, audit, config = {}, plugin = 'hello' } = options;
  const hello = recordingPlugin(plugin);
  const backend = await backends.start({
    ...options,
    features: [hello.feature, ...(audit ? [recordingAuditor(audit)] : [])],
    config: {
      ...config,
      auth: { providers: { guest: { signIn: {} } }, ...auth },
    },
    apiGate,
  });
  const authUrl = `${backend.url}/api/auth`;
  return {
    ...backend,
    hello,
    authUrl,
    status: (token: string) =>
      backend.statusOf(`/api/${plugin}/x`, bearer(token)),
    refresh: (clientId: string, token: string) =>
      refresh(authUrl, clientId, token),
    endAll: async (token: string, userEntityRef = USER) => {
      const answer = await backend.post(REVOCATIONS, token, { userEntityRef });
      return { status: answer.status, body: JSON.parse(answer.body) };
    },
    warnings: () =>
      backend
        .logged('API gate', 'warn')
        .map(({ message }) => message)
        .filter(message => message.includes('refresh tokens')),
  };
}

describeWithRoute('a sign-out everywhere', () => {
  it('[P20] ends the refresh tokens of OAuth clients', async () => {
    const backend = await start({ auth: oauthConfig('one', 'two') });
    const guest = await backend.guest();
    const tokens = await signInClient(backend.authUrl, 'one', guest);
    await signInClient(backend.authUrl, 'two', guest);
    expect(await backend.status(tokens.access_token)).toBe(200);

    const service = await backend.hello.tokenFor('auth');
    expect(await backend.endAll(service, 'User:development/Guest')).toEqual({
      status: 201,
      body: { offlineSessions: { ended: 2 } },
    });
    const refused = await backend.refresh('one', tokens.refresh_token!);
    expect([refused.status, refused.tokens.error]).toEqual([
      400,
      'invalid_grant',
    ]);
    expect(await backend.status(tokens.access_token)).toBe(401);
    expect((await backend.endAll(service)).body).toEqual({
      offlineSessions: { ended: 0 },
    });
  });

  it('[P20] lets no token through that was minted meanwhile', async () => {
    const clientIds = Array.from({ length: 12 }, (_, i) => `client-${i}`);
    const backend = await start({ auth: oauthConfig(...clientIds) });
    const guest = await backend.guest();
    const service = await backend.hello.tokenFor('auth');
    const signedIn = await Promise.all(
      clientIds.map(id => signInClient(backend.authUrl, id, guest)),
    );
    const minted: { token: string; isBefore: boolean }[] = [];
    let isAnswered = false;
    let refreshes = 0;
    const refreshing = signedIn.map(async ({ refresh_token: first }, i) => {
      let token: string | undefined = first;
      for (let n = 0; n < 20 && token; n += 1) {
        refreshes += 1;
        const { tokens } = await backend.refresh(clientIds[i], token);
        token = tokens.refresh_token;
        if (tokens.access_token) {
          const isBefore = !isAnswered;
          minted.push({ token: tokens.access_token, isBefore });
        }
      }
    });
    // Hashing refresh tokens takes long on a busy machine.
    while (minted.length < 5) {
      await new Promise(resolve => setTimeout(resolve, 25));
    }
    const answer = await backend.endAll(service);
    isAnswered = true;
    expect(answer.status).toBe(201);
    await Promise.all(refreshing);
    expect(refreshes).toBeGreaterThan(12);
    const before = minted.filter(({ isBefore }) => isBefore);
    expect(before.length).toBeGreaterThan(4);
    const statuses = await Promise.all(
      before.map(({ token }) => backend.status(token)),
    );
    expect(new Set(statuses)).toEqual(new Set([401]));
  });
});

describe('[P20] a sign-out everywhere, where refresh tokens can not be ended', () => {
  it('answers "disabled" where there are no refresh tokens', async () => {
    const backend = await start();
    const service = await backend.hello.tokenFor('auth');
    expect(await backend.endAll(service)).toEqual({
      status: 201,
      body: { offlineSessions: 'disabled' },
    });
    expect(backend.warnings()).toEqual([]);
  });

  const startWithoutRoute = async () => {
    const auth = oauthConfig('one');
    if (!hasRoute) {
      return start({ auth });
    }
    // The plugin simulates an auth plugin of an older release, without the route.
    const port = await freePort();
    const elsewhere = await startFakeAuth(404);
    return start({ auth, port, config: discovery(elsewhere, 'auth') });
  };

  it('answers "unsupported", and warns at start, where nothing can end them', async () => {
    const backend = await startWithoutRoute();
    const service = await backend.hello.tokenFor('auth');
    // User tokens have no keys if `auth` is configured elsewhere, so the test reads the revocation only.
    expect(await backend.endAll(service)).toEqual({
      status: 201,
      body: { offlineSessions: 'unsupported' },
    });
    await until(() => backend.warnings().length > 0);
    expect(backend.warnings()).toEqual([
      expect.stringContaining('does not end those of OAuth clients'),
    ]);
  });
});

describeWithRoute('in a split backend', () => {
  it('a sign-out of all of a user’s sessions reaches the backend with auth', async () => {
    const [authPort, port] = [await freePort(), await freePort()];
    const auth = await start({
      port: authPort,
      auth: oauthConfig('one'),
      config: discovery(port, 'other'),
    });
    const other = await start({
      port,
      withAuth: false,
      plugin: 'other',
      apiGate: { signOut: { scope: 'user' } },
      config: discovery(authPort, 'auth'),
    });
    const guest = await auth.guest();
    const tokens = await signInClient(auth.authUrl, 'one', guest);
    await until(async () => (await other.status(guest)) === 200);
    const { status } = await other.signOut(cookie(guest), 'other');
    expect(status).toBe(204);
    const refreshed = await auth.refresh('one', tokens.refresh_token!);
    expect(refreshed.status).toBe(400);
  });
});

/** Starts a server in place of the auth plugin, with its route that ends refresh tokens. */
function startFakeAuth(
  answer: number | (() => [status: number, body?: object]),
): Promise<number> {
  return backends.serve((req, res) => {
    req.resume().on('end', () => {
      const isRoute = req.url?.endsWith('/v1/offline-sessions/revoke');
      const [status, body = {}] =
        typeof answer === 'function' && isRoute
          ? answer()
          : [typeof answer === 'number' ? answer : 404];
      res.writeHead(status, { 'Content-Type': 'application/json' });
      res.end(JSON.stringify(body));
    });
  });
}
