import { connect } from 'node:net';
import permissionPlugin from '@backstage/plugin-permission-backend';
import allowAllPolicy from '@backstage/plugin-permission-backend-module-allow-all-policy';
import type { JsonObject } from '@backstage/types';
import { deniedPermissions } from '../__testUtils__/deniedPermissions';
import { encode, limitedTokenOf } from '../__testUtils__/limitedTokenOf';
import { verificationsDuring } from '../__testUtils__/verificationsDuring';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  JSON_TYPE,
  now,
  POLICY,
  protocol,
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
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

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
    for (const permissions of [
      stockPermissions,
      { features: [], config: {} },
    ]) {
      const backend = await start({
        features: permissions.features,
        config: { ...permissions.config, ...config },
        apiGate: { operators },
      });
      const guest = await backend.guest();
      const ceo = await backend.sign({ sub: 'user:default/ceo' });
      expect(await backend.status(guest, POLICY)).toBe(200);
      expect(await backend.revoke(guest, 'user:default/ceo')).toBe(201);
      expect(await backend.status(ceo)).toBe(401);
      // Another user of this backend is no operator.
      const jane = await backend.sign({ sub: 'user:default/jane' });
      expect(await backend.status(jane, POLICY)).toBe(403);
    }
  });

  it('an operator without the permission: their own', async () => {
    const backend = await start({
      features: [deniedPermissions],
      apiGate: { operators: ['user:development/guest'] },
    });
    const guest = await backend.guest();
    expect(await backend.status(guest, POLICY)).toBe(403);
    expect(await backend.revoke(guest, 'user:default/ceo')).toBe(403);
    expect(await backend.revoke(guest, 'user:development/guest')).toBe(201);
  });
});

describe('what a caller may write', () => {
  it('is judged when the body is complete, however many requests were let in before', async () => {
    const backend = await start();
    const token = await backend.sign({ iat: now() - 10 });
    const body = '{"userEntityRef":"user:default/test"}';
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () => holdBack(backend.port, token, body)),
    );
    await until(() => sockets.every(({ socket }) => socket.bytesWritten > 0));
    await new Promise(resolve => setTimeout(resolve, 500));
    const answers = await Promise.all(sockets.map(({ finish }) => finish()));
    expect(answers.filter(status => status === 201)).toHaveLength(1);
    expect(answers.filter(status => status === 401)).toHaveLength(19);
  });

  /** Sends a request whose body is not sent until `finish`. */
  async function holdBack(port: number, token: string, body: string) {
    const socket = connect(port, 'localhost');
    const answer = new Promise<number>((resolve, reject) => {
      socket.once('data', data =>
        resolve(Number(String(data).match(/^HTTP\/1\.1 (\d+)/)?.[1])),
      );
      socket.once('error', reject);
    });
    await new Promise<void>(resolve => {
      socket.once('connect', resolve);
    });
    socket.write(
      [
        `POST ${REVOCATIONS} HTTP/1.1`,
        'Host: localhost',
        'Connection: close',
        bearer(token),
        JSON_TYPE,
        `Content-Length: ${body.length}`,
        '\r\n',
      ].join('\r\n'),
    );
    return {
      socket,
      finish: () => {
        socket.write(body);
        return answer;
      },
    };
  }
});

it('[P10] a sign-out with a cookie of two values, or with a part beside it, ends its session, too', async () => {
  const backend = await start();
  const other = await backend.sign({ sub: 'user:default/other' });
  for (const [i, valueOf] of [
    (token: string) => `${token}; token=${other}`,
    (token: string) => `${other}; token=${token}`,
    (token: string) => `${token}; token.0=x`,
  ].entries()) {
    const token = await backend.sign({ sub: `user:default/${i}` });
    const { status } = await backend.signOut(cookie(valueOf(token)));
    expect([i, status, await backend.status(token)]).toEqual([i, 204, 401]);
  }
});

/** Starts a backend whose plugin `live` takes WebSockets by a rule, and signs a user in. */
async function startLive() {
  const live = webSocketPlugin('live', { '/ws': 'unauthenticated' });
  const backend = await start({
    features: [live.feature],
    apiGate: {
      allow: [{ plugin: 'live', path: '/ws', methods: ['WEBSOCKET'] }],
    },
  });
  const real = await backend.sign({ iat: now() - 10, exp: now() + 3600 });
  // Without handlers, the plugin listens from its first request on.
  // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
  await backend.status(real, '/api/live/first');
  return { backend, live, real };
}

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

  it('is taken out of Backstage’s own cookie only if it verifies', async () => {
    const { backend, real, signOut } = await scene();
    const cookieOf = async (token: string) => {
      await backend.get(
        '/api/hello/open',
        `Cookie: a=1; backstage-auth=${token}`,
      );
      return backend.hello.handled.at(-1)!.headers.cookie;
    };
    await signOut();
    expect(await cookieOf(limitedTokenOf(real))).toBe('a=1');
    expect(await cookieOf(`${limitedTokenOf(real)}==`)).toBe('a=1');
    const forged = limitedTokenOf(real, 'AAAA');
    expect(await cookieOf(forged)).toBe(`a=1; backstage-auth=${forged}`);
  });

  it('[P10] is not what a handler gets beside the token of another user', async () => {
    const seen: unknown[] = [];
    const who = recordingPlugin('who', {
      policies: [{ path: '/page', allow: 'user-cookie' }],
      handle: async (req, res, { httpAuth }) => {
        const { principal } = await httpAuth.credentials(req, {
          allow: ['user'],
          allowLimitedAccess: req.path === '/page',
        });
        seen.push(principal.userEntityRef);
        res.json({});
      },
    });
    const backend = await start({ features: [who.feature] });
    const real = await backend.sign({ iat: now() - 10, exp: now() + 3600 });
    const other = await backend.sign({ sub: 'user:default/other' });
    await backend.signOut(bearer(real));
    for (const [target, headerLine] of [
      ['/api/who/am-i', bearer(real)],
      ['/api/who/page', bearer(real)],
      ['/api/who/page', `Cookie: backstage-auth=${limitedTokenOf(real)}`],
    ]) {
      // Node passes it to Express, since it has no `Connection: Upgrade`.
      const upgrade = ['Upgrade: websocket', protocol(other)];
      await backend.get(target, ...upgrade, headerLine);
    }
    expect(seen).toEqual(['user:default/other', 'user:default/other']);
  });

  it('[P10] is taken out of Backstage’s own cookie of an upgrade', async () => {
    const { backend, live, real } = await startLive();
    const cookieOf = async (token: string) => {
      const { status, destroy } = await backend.upgrade(
        '/api/live/ws',
        `Cookie: a=1; backstage-auth=${token}`,
      );
      destroy();
      return [status, live.handled.at(-1)?.headers.cookie];
    };
    const limited = limitedTokenOf(real);
    expect(await cookieOf(limited)).toEqual([
      101,
      `a=1; backstage-auth=${limited}`,
    ]);
    await backend.signOut(bearer(real));
    for (const token of [limited, `${limited}==`]) {
      expect(await cookieOf(token)).toEqual([101, 'a=1']);
    }
  });

  it('[P11] leaves no WebSocket open that a rule has opened', async () => {
    const { backend, real } = await startLive();
    const forged = await otherKey.sign({
      iss: `${backend.url}/api/auth`,
      iat: now() - 10,
      exp: now() + 3600,
    });
    const opened = await Promise.all(
      [bearer(real), protocol(real), bearer(forged)].map(headerLine =>
        backend.upgrade('/api/live/ws', headerLine),
      ),
    );
    const closed: number[] = [];
    opened.forEach((socket, i) => socket.closed.then(() => closed.push(i)));
    await backend.signOut(bearer(real));
    await until(() => closed.length >= 2);
    // A socket that a forged token stays with shows nobody who has signed out.
    expect(closed.sort()).toEqual([0, 1]);
    opened.forEach(({ destroy }) => destroy());
  });

  it('costs one verification a second if it is forged, and none if its session was not revoked', async () => {
    const { backend, forgeries, signOut } = await scene();
    const flood = () =>
      verificationsDuring(async () => {
        await Promise.all(
          Array.from({ length: 50 }, () =>
            backend.status(forgeries[2], '/api/hello/open'),
          ),
        );
      });
    const expectOneASecond = async () => {
      const startedAt = Date.now();
      const verified = await flood();
      const seconds = Math.ceil((Date.now() - startedAt) / 1000);
      // A request that arrives while the gate finds out why the first one has failed verifies the token, too.
      expect(verified).toBeLessThanOrEqual(1 + 2 * seconds);
    };
    expect(await flood()).toBe(0);
    await signOut();
    await backend.status(forgeries[2], '/api/hello/open');
    await expectOneASecond();
    await expectOneASecond();
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

describe('a sign-out everywhere', () => {
  it('[P20] ends the tokens of an issuer whose clock is ahead', async () => {
    const backend = await start();
    const ahead = await backend.sign({ iat: now() + 60, exp: now() + 3600 });
    const later = await backend.sign({ iat: now() + 120, exp: now() + 3600 });
    expect(await backend.revoke(ahead, 'user:default/test')).toBe(201);
    expect(await backend.status(ahead)).toBe(401);
    expect(await backend.status(later)).toBe(200);
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
