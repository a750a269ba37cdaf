import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import {
  authorization,
  BASIC,
  HEADER,
  inHeader,
  startForeignScene,
} from '../__testUtils__/foreignScene';
import { ownHttpAuth } from '../__testUtils__/ownHttpAuth';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  COOKIE_ENDPOINT,
  from,
  JSON_TYPE,
  POLICY,
  protocol,
  REVOCATIONS,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { keepsFirstCredentials } from '../__testUtils__/stockBackend';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const APP = 'http://localhost:3000';

// Goes in October 2027: releases before November 2026 have no WebSocket handlers.
const describeIfRouted =
  'createWebSocketRouter' in httpRouter ? describe : describe.skip;

const backends = signedBackends();

// The proof has each combination of headers, and their texts. Here they pass real handlers and the real proxy.
describe('with credentialHeader and foreignAuthorization', () => {
  let scene: Awaited<ReturnType<typeof startForeignScene>>;
  let token: string;
  const live = webSocketPlugin('live', { '/closed': undefined });

  beforeAll(async () => {
    scene = await startForeignScene(backends, {
      features: [
        live.feature,
        recordingPlugin('forwarding', {
          handle: (req, res) => {
            // The plugin asks another one in its own name.
            req.headers.authorization = `Bearer ${req.query.as}`;
            req.url = '/api/behind/x';
            req.baseUrl = '';
            req.app(req, res);
          },
        }).feature,
        recordingPlugin('behind', {
          handle: async (req, res, { httpAuth }) => {
            const { principal } = await httpAuth.credentials(req, {
              allow: ['user'],
            });
            const { identity } = (req as any).user;
            res.json([identity.userEntityRef, principal.userEntityRef]);
          },
        }).feature,
      ],
      config: {
        proxy: {
          endpoints: {
            '/foreign': {
              ws: true,
              allowedHeaders: [
                ...['Authorization', 'Cookie', HEADER],
                ...['Connection', 'Upgrade', 'Sec-WebSocket-Key'],
                ...['Sec-WebSocket-Version', 'Sec-WebSocket-Protocol'],
              ],
            },
          },
        },
      },
    });
  });
  afterAll(() => backends.stopAll());
  beforeEach(async () => {
    token = await scene.sign({ sub: 'user:default/jane' });
  });

  it('[P62] an Authorization beside the credential is refused if it is a token that this backend has issued', async () => {
    const user = await scene.sign();
    const own: Record<string, string> = {
      user,
      limited: (await scene.stockCookie('hello', bearer(user))).split('=')[1],
      'of a plugin': await scene.hello.tokenFor('proxy'),
      'in another scheme': `x, Token a="${user}"`,
    };
    for (const [name, text] of Object.entries(own)) {
      for (const path of ['proxy/foreign/x', 'proxy/open/x', 'hello/x']) {
        const { arrivals } = await scene.send(
          `/api/${path}`,
          inHeader(token),
          authorization(`bearer  ${text}`),
        );
        expect([name, path, arrivals]).toEqual([name, path, 0]);
      }
    }
  });

  it.each(['external-token', 'legacyToken'] as const)(
    'an Authorization beside the credential goes on if it is %s of externalAccess',
    async name => {
      const text = name === 'legacyToken' ? scene[name] : name;
      const { at } = await scene.send(
        '/api/proxy/foreign/x',
        inHeader(token),
        authorization(`Bearer ${text}`),
      );
      expect(at!.headers.authorization).toBe(`Bearer ${text}`);
    },
  );

  it('[P62] no cookie of Backstage reaches the target', async () => {
    const stock = await scene.stockCookie('hello', bearer(token));
    for (const path of ['foreign/x', 'FOREIGN/x']) {
      const { at, status } = await scene.send(
        `/api/proxy/${path}`,
        `Cookie: token=${token}; a=1; ${stock}`,
      );
      expect([status, at!.headers.cookie]).toEqual([200, 'a=1']);
    }
  });

  it('[P61] on a public path, a handler gets the token, and a proxy does not', async () => {
    const { at, headers } = await scene.send(
      '/api/hello/open',
      inHeader(token),
    );
    expect(at!.principals).toEqual(['user:default/jane', 'user:default/jane']);
    expect(headers['cache-control']).toContain('private');
    const proxied = await scene.send('/api/proxy/open/x', inHeader(token));
    expect(proxied.at!.rawHeaders.join()).not.toMatch(/authorization|token/i);
  });

  it('[P61] the routes of the gate itself take the header, beside Basic', async () => {
    const caller = [inHeader('external-token'), authorization(BASIC)];
    expect(await scene.statusOf(POLICY, ...caller)).toBe(200);
    const { status } = await scene.request(
      'POST',
      REVOCATIONS,
      [...caller, JSON_TYPE],
      JSON.stringify({ userEntityRef: 'user:default/other' }),
    );
    expect(status).toBe(201);
  });

  it('[P61] a handler that has a request decided again gets the user of the second decision', async () => {
    const second = await scene.sign({ sub: 'user:default/second' });
    const { body } = await scene.send(
      `/api/forwarding/x?as=${second}`,
      inHeader(token),
      authorization(BASIC),
    );
    expect(JSON.parse(body)).toEqual([
      'user:default/second',
      keepsFirstCredentials ? 'user:default/jane' : 'user:default/second',
    ]);
  });

  it.each([
    ['/api/proxy/FOREIGN/x', true],
    ['/api/proxy/foreign/a%20b/c%2Fd', true],
    ['/api/proxy/foreign/v1/x/', true],
    ['/api/proxy/foreign/%2e%2e/forward', undefined],
    ['/api/proxy/%66oreign/x', undefined],
    ['/api/proxy/foreign;y/x', undefined],
    ['/api/proxy//foreign/x', undefined],
    ['/api/proxy/foreign\\x', undefined],
    ['/api/PROXY/foreign/x', undefined],
    ['http://any/api/proxy/foreign/x', undefined],
  ])(
    '[P63] the spelling %s is foreign where Express serves it by the same handler, and sends no Backstage token to the target',
    async (target, isForeign) => {
      for (const line of [cookie(token), bearer(token), inHeader(token)]) {
        const { at } = await scene.send(target, line);
        expect(at?.headers.authorization).toBeUndefined();
      }
      const foreign = bearer(scene.foreignToken);
      const { at } = await scene.send(target, foreign, cookie(token));
      expect(isForeign && at?.headers.authorization).toBe(
        isForeign && `Bearer ${scene.foreignToken}`,
      );
      // Nobody is authenticated by what belongs to the target.
      expect([401, 404]).toContain(await scene.statusOf(target, foreign));
    },
  );

  describeIfRouted('[P61] an upgrade', () => {
    it('reaches its handler as its user, and ends with its session', async () => {
      const own = inHeader(token);
      const socket = await scene.upgrade('/api/live/closed', own);
      const [{ credentials, headers, rawHeaders }] = live.handled;
      expect(credentials).toMatchObject({
        principal: { userEntityRef: 'user:default/jane' },
      });
      expect(headers.authorization).toBe(`Bearer ${token}`);
      expect(rawHeaders.join()).not.toMatch(/x-backstage-token/i);
      await scene.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [own]);
      await socket.closed;
    });
  });

  it('[P62] an upgrade at a foreign path of the proxy brings the target no token of Backstage', async () => {
    // The proxy plugin takes upgrades after its first request.
    await scene.get('/api/proxy/foreign/x', inHeader(await scene.sign()));
    const user = await scene.sign({ sub: 'user:default/john' });
    for (const [arrives, ...lines] of [
      [true, cookie(user), bearer('opaque')],
      [true, inHeader(user), protocol('v1', 'opaque')],
      [false, bearer(user)],
      [false, cookie(user), protocol('v1', user)],
    ] as const) {
      scene.arrived.length = 0;
      await scene.upgradeStatus('/api/proxy/foreign/x', from(APP), ...lines);
      const text = scene.arrived.map(({ rawHeaders }) => rawHeaders).join();
      expect(text.includes('opaque')).toBe(arrives);
      expect(text).not.toContain(user);
    }
  });
});

describe('with an httpAuth of the app', () => {
  it('[P64] foreignAuthorization stops the start', async () => {
    await expect(
      startForeignScene(backends, { features: [ownHttpAuth()] }),
    ).rejects.toThrow(
      'auth.apiGate.foreignAuthorization needs the httpAuth service of the gate',
    );
  });

  it('[P64] credentialHeader works, and a line of the log names its limit', async () => {
    const scene = await startForeignScene(backends, {
      features: [ownHttpAuth()],
      apiGate: { foreignAuthorization: [] },
    });
    const token = await scene.sign({ sub: 'user:default/jane' });
    for (const lines of [[], [authorization(BASIC)]]) {
      const { at } = await scene.send(
        '/api/hello/x',
        inHeader(token),
        ...lines,
      );
      expect(at?.principals).toEqual([
        'user:default/jane',
        'user:default/jane',
      ]);
    }
    const { status, arrivals } = await scene.send(
      '/api/proxy/forward/x',
      inHeader(token),
    );
    expect([status, arrivals]).toEqual([401, 0]);
    const lines = scene
      .logged(HEADER.toLowerCase(), 'info')
      .map(({ message }) => message);
    expect(lines).toEqual(
      expect.arrayContaining([
        'API gate: this backend has its own httpAuth service for the plugin hello. A token in x-backstage-token replaces the Authorization of its requests',
        'API gate: this backend has its own httpAuth service for the plugin proxy. A token in x-backstage-token opens none of its requests',
      ]),
    );
    await backends.stopAll();
  });
});
