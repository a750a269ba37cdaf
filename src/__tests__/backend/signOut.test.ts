import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { encode } from '../__testUtils__/limitedTokenOf';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  now,
  POLICY,
  REVOCATIONS,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { createSigningKey, SigningKey } from '../__testUtils__/signingKey';
import { freePort } from '../__testUtils__/freePort';
import { discovery } from '../__testUtils__/startBackend';
import { until } from '../__testUtils__/until';

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
let otherKey: SigningKey;

beforeAll(async () => {
  otherKey = await createSigningKey();
});
afterAll(() => otherKey.remove());
afterEach(backends.stopAll);

async function start(
  options: SignedBackendOptions & {
    /** The first plugin replaces `hello`. */
    plugins?: string[];
  } = {},
) {
  const { apiGate, features = [], plugins = [] } = options;
  const [helloId = 'hello', ...otherIds] = plugins;
  const hello = recordingPlugin(helloId);
  const backend = await backends.start({
    ...options,
    features: [
      hello.feature,
      ...otherIds.map(id => recordingPlugin(id).feature),
      ...features,
    ],
    apiGate,
  });
  return {
    ...backend,
    hello,
    /** Posts to the route of revocations, and returns the status. */
    revoke: async (token: string, userEntityRef: string) =>
      (await backend.post(REVOCATIONS, token, { userEntityRef })).status,
    status: (token: string, target = '/api/hello/x') =>
      backend.statusOf(target, bearer(token)),
    revocations: async () => {
      const service = await hello.tokenFor('auth');
      const { body } = await backend.get(REVOCATIONS, bearer(service));
      return JSON.parse(body).revocations as { scope: string; sub: string }[];
    },
  };
}

// `create-app` generates the same policy: everything is allowed to everybody.
const stockPermissions = {
  features: [permissionPlugin, allowAllPolicy],
  config: { permission: { enabled: true } },
};

describe('[P18] who may end the sessions of a user', () => {
  const platform = {
    auth: {
      providers: {
        guest: {
          dangerouslyAllowOutsideDevelopment: true,
          ownershipEntityRefs: ['group:default/platform'],
        },
      },
    },
  };

  it('in a stock app: users their own, and nobody else’s', async () => {
    const backend = await start(stockPermissions);
    const guest = await backend.guest();
    const ceo = await backend.sign({ sub: 'user:default/ceo' });
    for (const userEntityRef of ['user:default/ceo', 'User:Default/CEO']) {
      expect(await backend.revoke(guest, userEntityRef)).toBe(403);
    }
    expect(await backend.status(guest, POLICY)).toBe(403);
    expect(await backend.status(ceo)).toBe(200);
    expect(await backend.revocations()).toEqual([]);

    const own = { userEntityRef: 'USER:development/Guest' };
    const { status, headers } = await backend.post(REVOCATIONS, guest, own);
    expect([status, headers['set-cookie']]).toEqual([201, undefined]);
    expect(await backend.status(guest)).toBe(401);
    expect(await backend.status(ceo)).toBe(200);
  });

  it.each<[string, string[], JsonObject]>([
    ['by their own name', ['User:Development/GUEST'], {}],
    ['by a group', ['user:default/x', 'Group:default/Platform'], platform],
  ])('an operator %s: anybody’s', async (_, operators, config) => {
    const backend = await start({
      ...stockPermissions,
      config: { ...stockPermissions.config, ...config },
      apiGate: { operators },
    });
    const guest = await backend.guest();
    const ceo = await backend.sign({ sub: 'user:default/ceo' });
    expect(await backend.status(guest, POLICY)).toBe(200);
    expect(await backend.revoke(guest, 'user:default/ceo')).toBe(201);
    expect(await backend.status(ceo)).toBe(401);
    // Another user of this backend is no operator.
    expect(await backend.status(await backend.sign(), POLICY)).toBe(403);
  });
});

describe('[P21] a token of a revoked session, on a public path', () => {
  async function scene() {
    const backend = await start({
      apiGate: { allow: [{ plugin: 'hello', path: '/open' }] },
    });
    const claims = { iat: now() - 10, exp: now() + 3600 };
    const real = await backend.sign(claims);
    const iss = `${backend.url}/api/auth`;
    const [header, payload] = real.split('.');
    const none = encode({ alg: 'none', typ: 'vnd.backstage.user' });
    const forged = await otherKey.sign({ iss, ...claims });
    const fates = async (token: string) => [
      await backend.status(token, '/api/hello/open'),
      await backend.status(token, '/api/auth/nosuchprovider/start'),
    ];
    return {
      backend,
      real,
      fates,
      forgeries: [`${none}.${payload}.`, forged, `${header}.${payload}.AAAA`],
      signOut: () => backend.signOut(bearer(real)),
    };
  }

  it('is refused if it verifies, and is like any other if it does not', async () => {
    const { backend, real, forgeries, fates, signOut } = await scene();
    const before = await Promise.all(forgeries.map(fates));
    expect(await fates(real)).toEqual([200, 404]);
    await signOut();
    expect(await fates(real)).toEqual([401, 401]);
    // Backstage verifies this text, too.
    expect(await fates(`${real}==`)).toEqual([401, 401]);
    const handled = backend.hello.handled.length;
    expect(await Promise.all(forgeries.map(fates))).toEqual(before);
    expect(before).toEqual(forgeries.map(() => [200, 404]));
    expect(backend.hello.handled.length).toBe(handled + forgeries.length);
    // The result is the same after a sign-out of all of the user's sessions.
    const service = await backend.hello.tokenFor('auth');
    await backend.revoke(service, 'user:default/test');
    expect(await Promise.all(forgeries.map(fates))).toEqual(before);
  });
});

describe('[P22] a sign-out while the keys of users are out of reach', () => {
  it('revokes the session by the keys of another plugin', async () => {
    const [authPort, port] = [await freePort(), await freePort()];
    const startAuth = () =>
      start({ port: authPort, config: discovery(port, 'warm', 'cold') });
    const auth = await startAuth();
    const other = await start({
      port,
      withAuth: false,
      plugins: ['warm', 'cold'],
      config: discovery(authPort, 'auth'),
    });
    const token = await auth.sign();
    await until(async () => (await other.status(token, '/api/warm/x')) === 200);
    await auth.stop();

    const { status, headers, body } = await other.signOut(
      cookie(token),
      'cold',
    );
    expect(status).toBe(503);
    expect(body).toContain('Signed out at this replica');
    expect(headers['set-cookie']).toContain('token=; Path=/; Expires=Thu');
    expect(await other.status(token, '/api/warm/x')).toBe(401);

    // A token that verifies for no plugin is cleared too, and revokes nothing.
    const forged = await otherKey.sign({
      iss: `${auth.url}/api/auth`,
      sub: 'user:default/other',
    });
    const refused = await other.signOut(cookie(forged), 'cold');
    expect(refused.status).toBe(503);
    expect(refused.headers['set-cookie']).toContain('token=; Path=/');

    // The revocation is written when the other backend is back.
    const again = await startAuth();
    await until(async () => (await again.status(token)) === 401);
    const rows = await again.revocations();
    expect(rows.map(({ sub }) => sub)).toEqual(['user:default/test']);
  });
});

describe('[P21] DELETE of the cookie endpoint', () => {
  it('is answered alike by a plugin that is installed and one that is not', async () => {
    const backend = await start();
    const answer = async (plugin: string, headerLines: string[]) => {
      const { status, headers, body } = await backend.request(
        'DELETE',
        `/api/${plugin}${COOKIE_ENDPOINT}`,
        headerLines,
      );
      const id = headers['api-gate-decision']?.replace(/^[0-9a-f]{16}$/, 'id');
      const alike = { date: 'now', 'api-gate-decision': id };
      return [status, { ...headers, ...alike }, body];
    };
    const revoked = await backend.sign({ iat: now() - 5 });
    await answer('hello', [bearer(revoked)]);
    for (const headerLines of [
      [],
      ['Cookie: token=x', SAME_ORIGIN],
      ['Cookie: token=x; token=y', SAME_ORIGIN],
      ['Cookie: token=x', 'Sec-Fetch-Site: cross-site'],
      ['Cookie: backstage-auth=x'],
      [bearer('x')],
      ['Authorization: Basic YTpi'],
      [`Cookie: token=${revoked}`, SAME_ORIGIN],
      [bearer(await otherKey.sign({ iss: `${backend.url}/api/auth` }))],
    ]) {
      const installed = await answer('hello', headerLines);
      expect(installed[0]).toBe(
        headerLines[1]?.endsWith('cross-site') ? 403 : 204,
      );
      for (const plugin of ['nosuchplugin', 'catalog', '-']) {
        expect(await answer(plugin, headerLines)).toEqual(installed);
      }
    }
    // A user gets 404 for a plugin that is not installed.
    const user = await backend.sign();
    expect((await answer('nosuchplugin', [bearer(user)]))[0]).toBe(404);
    expect(await backend.status(user)).toBe(401);
  });
});
