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
  JSON_TYPE,
  POLICY,
  REVOCATIONS,
} from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { keepsFirstCredentials } from '../__testUtils__/stockBackend';
import { until } from '../__testUtils__/until';

const backends = signedBackends();

describe('with credentialHeader and foreignAuthorization', () => {
  let scene: Awaited<ReturnType<typeof startForeignScene>>;
  let token: string;
  let users = 0;

  /** Returns a token of a new user. */
  const newToken = () => {
    users += 1;
    return scene.sign({ sub: `user:default/user-${users}` });
  };

  beforeAll(async () => {
    scene = await startForeignScene(backends, {
      features: [
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
            res.json({
              decided: identity.userEntityRef,
              authenticated: principal.userEntityRef,
            });
          },
        }).feature,
      ],
    });
  });
  afterAll(() => backends.stopAll());
  beforeEach(async () => {
    token = await newToken();
  });

  describe('[P62] an Authorization beside the credential', () => {
    const PATHS = [
      '/api/proxy/foreign/x',
      '/api/proxy/forward/x',
      '/api/hello/x',
    ];

    it('is refused if it is a token of this backend, whoever sends it', async () => {
      const user = await newToken();
      const own: Record<string, string> = {
        user,
        'the same user': token,
        limited: (await scene.stockCookie('hello', bearer(user))).split('=')[1],
        'of a plugin': await scene.hello.tokenFor('proxy'),
        static: 'external-token',
        'static for another plugin': 'restricted-token',
        legacy: scene.legacyToken,
        'in another scheme': `x, Token a="${user}"`,
        expired: await scene.sign({ iat: 1, exp: 2 }),
      };
      for (const [name, text] of Object.entries(own)) {
        for (const path of PATHS) {
          const answer = await scene.send(
            path,
            inHeader(token),
            authorization(`bearer  ${text}`),
          );
          expect([name, path, answer.status, answer.arrivals]).toEqual([
            name,
            path,
            401,
            0,
          ]);
          expect(answer.body).not.toMatch(/static|legacy|external/i);
        }
        // A public path hands Authorization on, too.
        const { arrivals } = await scene.send(
          '/api/proxy/open/x',
          inHeader(token),
          bearer(text),
        );
        expect([name, arrivals]).toEqual([name, 0]);
      }
    });
  });

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

  it('[P62] a rule that a reload puts over a foreign path opens it to no session that was ended', async () => {
    const own = await backends.start({
      features: [recordingPlugin('hello').feature],
      apiGate: { foreignAuthorization: [{ plugin: 'hello', path: '/a/**' }] },
    });
    const ended = await own.sign();
    await own.request('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
      cookie(ended),
    ]);
    own.change({ apiGate: { allow: [{ plugin: 'hello', path: '/a/b' }] } });
    await until(async () => (await own.statusOf('/api/hello/a/b')) === 200);
    expect(await own.statusOf('/api/hello/a/b', bearer(ended))).toBe(401);
  });

  it('[P61] on a public path, a handler gets the token, a proxy does not, and no shared cache keeps the answer', async () => {
    const at = await scene.send('/api/hello/open', inHeader(token));
    expect(at.at!.principals).toEqual([
      `user:default/user-${users}`,
      `user:default/user-${users}`,
    ]);
    expect(at.headers['cache-control']).toContain('private');
    const proxied = await scene.send('/api/proxy/open/x', inHeader(token));
    expect(proxied.status).toBe(200);
    expect(proxied.at!.rawHeaders.join()).not.toMatch(/authorization|token/i);
    const userInfo = await scene.send('/api/auth/v1/userinfo', inHeader(token));
    expect(userInfo.headers['cache-control']).toContain('private');
    const anonymous = await scene.send('/api/proxy/open/x');
    expect(anonymous.headers['cache-control'] ?? '').not.toContain('private');
  });

  it('[P61] no shared cache keeps the answer to an upgrade that a handler in Express answers', async () => {
    const { status, headers } = await scene.get(
      '/api/hello/x',
      inHeader('external-token'),
      'Upgrade: websocket',
    );
    expect([status, headers['cache-control']]).toEqual([200, 'private']);
  });

  it('[P61] the routes of the gate itself take the header, beside Basic', async () => {
    const caller = [inHeader('external-token'), authorization(BASIC)];
    expect(await scene.statusOf(POLICY, ...caller)).toBe(200);
    const { status } = await scene.request(
      'POST',
      REVOCATIONS,
      [...caller, JSON_TYPE],
      JSON.stringify({ userEntityRef: `user:default/user-${users}` }),
    );
    expect(status).toBe(201);
    const own = [inHeader(token), authorization(BASIC)];
    expect(await scene.statusOf('/api/hello/x', ...own)).toBe(401);
  });

  it('[P61] a handler that has a request decided again gets the user of the second decision', async () => {
    const second = await scene.sign({ sub: 'user:default/second' });
    const { status, body } = await scene.send(
      `/api/forwarding/x?as=${second}`,
      inHeader(token),
      authorization(BASIC),
    );
    const first = `user:default/user-${users}`;
    expect([status, JSON.parse(body)]).toEqual([
      200,
      {
        decided: 'user:default/second',
        authenticated: keepsFirstCredentials ? first : 'user:default/second',
      },
    ]);
  });

  /** Spellings of a foreign path, some of which Express serves by the same handler. */
  const SPELLINGS = [
    '/api/proxy/FOREIGN/x',
    '/api/proxy/foreign',
    '/api/proxy/foreign//x',
    '/api/proxy/foreign/../x',
    '/api/proxy/foreign/.%2e/x',
    '/api/proxy/foreign/%2e%2e/forward',
    '/api/proxy/foreign/;/x',
    '/api/proxy/%66oreign/x',
    '/api/proxy/foreign%2fx',
    '/api/proxy/./foreign/x',
    '/api/proxy/x/../foreign/x',
    '/api/proxy//foreign/x',
    '/api/proxy/foreign;y/x',
    '/api/proxy\\foreign\\x',
    '/api/proxy/foreign\\x',
    '/api/proxy/foreign/x#y',
    '/api/PROXY/foreign/x',
    '/API/proxy/foreign/x',
    '//api/proxy/foreign/x',
    'http://any/api/proxy/foreign/x',
  ];

  it.each(SPELLINGS)(
    '[P63] the spelling %s is foreign where Express serves it by the same handler, and sends no Backstage token to the target',
    async target => {
      for (const line of [cookie(token), bearer(token), inHeader(token)]) {
        for (const _again of [1, 2]) {
          const { at, status } = await scene.send(target, line);
          expect([200, 400, 401, 404]).toContain(status);
          expect(at?.headers.authorization).toBeUndefined();
        }
      }
      const foreign = bearer(scene.foreignToken);
      const { at, status } = await scene.send(target, foreign, cookie(token));
      expect([at?.headers.authorization, status]).toEqual(
        at
          ? [foreign.slice('Authorization: '.length), 200]
          : [undefined, status],
      );
      // Nobody is authenticated by what belongs to the target.
      expect([401, 404]).toContain(await scene.statusOf(target, foreign));
    },
  );

  it('[P63] a path below with escapes, or a slash at its end, is foreign', async () => {
    for (const path of ['/a%20b/c%2Fd', '/v1/x/']) {
      const { status, at } = await scene.send(
        `/api/proxy/foreign${path}`,
        bearer(scene.foreignToken),
        cookie(token),
      );
      expect([path, status, at?.headers.authorization]).toEqual([
        path,
        200,
        `Bearer ${scene.foreignToken}`,
      ]);
    }
  });
});

describe('in report-only', () => {
  it('[P61] a request that would be refused goes on as it came, without the header', async () => {
    const scene = await startForeignScene(backends, {
      apiGate: { mode: 'report-only' },
    });
    const token = await scene.sign();
    const refused = await scene.send(
      '/api/hello/open',
      inHeader('x y'),
      authorization(BASIC),
    );
    expect(refused.at).toBeUndefined();
    const { at } = await scene.send(
      '/api/proxy/open/x',
      inHeader('x'),
      bearer('y'),
    );
    expect(at!.headers.authorization).toBe('Bearer y');
    expect(at!.rawHeaders.join()).not.toMatch(/x-backstage-token/i);
    const passed = await scene.send('/api/hello/x', inHeader(token));
    expect(passed.status).toBe(200);
    await backends.stopAll();
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
      const { status, at } = await scene.send(
        '/api/hello/x',
        inHeader(token),
        ...lines,
      );
      expect([status, at?.principals]).toEqual([
        200,
        ['user:default/jane', 'user:default/jane'],
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
