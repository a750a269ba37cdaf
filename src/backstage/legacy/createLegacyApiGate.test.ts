import { createServer, Server } from 'node:http';
import { ConfigReader } from '@backstage/config';
import { DefaultIdentityClient } from '@backstage/plugin-auth-node';
import type { RequestHandler } from 'express';

import { rawRequest } from '../../__tests__/__testUtils__/rawRequest';
import { rawUpgrade } from '../../__tests__/__testUtils__/rawUpgrade';
import { listen } from '../../__tests__/__testUtils__/serve';
import { createSigningKey } from '../../__tests__/__testUtils__/signingKey';
import {
  discoveryWithoutKeys,
  RunningLegacyGate,
  SERVICE_TOKEN,
  startLegacyGate,
} from '../../__tests__/__testUtils__/startLegacyGate';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { until } from '../../__tests__/__testUtils__/until';
import { now } from '../../gate/sessions/Revocation';
import { answerUpgrade } from '../../gate/upgrades/dispatchUpgrade';
import type { LegacyApiGate, LegacyApiGateOptions } from './index.ts';

const USER = 'user:default/test';

/** Verifies the token of one user, whatever is presented. */
const identityOf = (token: string): LegacyApiGateOptions['identity'] => {
  const identity = { type: 'user', userEntityRef: USER } as const;
  return {
    getIdentity: async () => ({
      token,
      identity: { ...identity, ownershipEntityRefs: [] },
    }),
  };
};

// Tests that need a whole legacy backend are in `integration/packages/legacy`.
jest.setTimeout(30_000);

describe('createLegacyApiGate', () => {
  let app: RunningLegacyGate;
  afterEach(() => app?.stop());

  const start = async (options: Parameters<typeof startLegacyGate>[0] = {}) => {
    app = await startLegacyGate(options);
  };
  const get = (target: string, ...headerLines: string[]) =>
    rawRequest(app.port, target, { headerLines });
  const statusOf = async (target: string, ...headerLines: string[]) =>
    (await get(target, ...headerLines)).status;
  const service = `Authorization: Bearer ${SERVICE_TOKEN}`;
  const lines = (text: string) => app.log.filter(line => line.includes(text));

  it('logs what it refuses, without what was presented', async () => {
    await start();
    const secret = 'not-the-service-token';
    const { status, headers } = await get(
      `/api/pub/x?a=${secret}`,
      `Authorization: Bearer ${secret}`,
    );
    expect(status).toBe(401);
    expect(headers['api-gate-decision']).toMatch(/^[0-9a-f]{16}$/);
    expect(lines('API gate refused a request')).toEqual([
      `API gate refused a request {"plugin":"pub","method":"GET","path":"/x","reason":"invalid-token","detail":"malformed","requests":1,"decision":"${headers['api-gate-decision']}"}`,
    ]);
    expect(app.log.join()).not.toContain(secret);
    expect(await statusOf('/api/')).toBe(401);
    expect(lines('API gate refused a request {"plugin":"",')).toHaveLength(1);
  });

  it.each([
    ['credentialHeader', { credentialHeader: 'X-Backstage-Token' }],
    [
      'foreignAuthorization',
      { foreignAuthorization: [{ plugin: 'pub', path: '/a' }] },
    ],
  ])('[P64] refuses %s at the start', async (key, apiGate) => {
    await expect(startLegacyGate({ apiGate })).rejects.toThrow(
      `auth.apiGate.${key} is for the new backend system: remove it`,
    );
  });

  it("[P1] answers the path of plugins' keys itself: a handler there would be any handler", async () => {
    await start();
    const keys = '/api/pub/.backstage/auth/v1/jwks.json';
    expect(await statusOf(keys)).toBe(404);
    expect(await statusOf(keys, service)).toBe(404);
    expect(app.handled).toEqual([]);
  });

  it('refuses service tokens of the new backend system, and asks nobody about them', async () => {
    const authenticate = jest.fn(async (token: string) => {
      if (!token.includes('.')) {
        throw new Error('Invalid server token');
      }
    });
    await start({ env: { tokenManager: { authenticate } } });
    const token = unsignedToken('vnd.backstage.plugin', { sub: 'catalog' });
    authenticate.mockClear();
    expect(await statusOf('/api/pub/x', `Authorization: Bearer ${token}`)).toBe(
      401,
    );
    expect(authenticate).not.toHaveBeenCalled();
    expect(lines('"detail":"unknown-key"')).toHaveLength(1);
  });

  it('starts with a configuration that does not change', async () => {
    const config = new ConfigReader({
      backend: { baseUrl: 'http://localhost' },
      auth: { apiGate: { allow: [{ plugin: 'pub', path: '/health' }] } },
    });
    await start({ env: { config } });
    expect(await statusOf('/api/pub/health')).toBe(200);
  });

  it('says at start how strict it is, and what should be looked at', async () => {
    await start({
      apiGate: {
        allow: [{ plugin: 'pub', path: '/**', methods: ['POST'] }],
      },
    });
    expect(app.log[0]).toBe('child {"service":"apiGate"}');
    expect(lines('API gate: enforce, 1 allow rule(s)')).toEqual([
      expect.stringMatching(/ \{"policy":"[0-9a-f]{12}"\}$/),
    ]);
    expect(lines('API gate: auth.apiGate.allow: 1 of')).toHaveLength(1);
    expect(lines('makes the whole plugin pub public')).toHaveLength(1);
    expect(lines('API gate has no database')).toHaveLength(1);
  });

  it('follows the configuration', async () => {
    await start();
    expect(await statusOf('/api/pub/health')).toBe(401);
    app.change({ allow: [{ plugin: 'pub', path: '/health' }] });
    expect(await statusOf('/api/pub/health')).toBe(200);
    app.change({ allow: [{ plugin: 'pub', path: 'wrong' }] });
    expect(await statusOf('/api/pub/health')).toBe(200);
    expect(lines('the new configuration is wrong')).toHaveLength(1);
    expect(lines('makes the whole plugin pub public')).toEqual([]);
    app.change({ allow: [{ plugin: 'pub', path: '/**' }] });
    expect(lines('makes the whole plugin pub public')).toHaveLength(1);
    app.change({});
    expect(await statusOf('/api/pub/health')).toBe(401);
  });

  it('refuses nothing by rule in report-only, and logs that', async () => {
    await start({ apiGate: { mode: 'report-only' } });
    expect(await statusOf('/api/pub/x')).toBe(200);
    expect(await statusOf('/api/elsewhere/x')).toBe(404);
    expect(lines('API gate would have refused a request')).toHaveLength(2);
    expect(lines('API gate refuses only ended sessions')).toHaveLength(1);
  });

  it('judges a request once where it stands twice', async () => {
    const authenticate = jest.fn(async () => {});
    await start({
      env: {
        tokenManager: {
          authenticate: async token => {
            if (token !== SERVICE_TOKEN) {
              throw new Error('Invalid server token');
            }
            await authenticate();
          },
        },
      },
      mount(apiRouter, gate) {
        apiRouter.use(gate());
        apiRouter.use('/pub', gate('pub'), (_req, res) => res.json({}));
        apiRouter.use(gate());
      },
    });
    expect(await statusOf('/api/pub/x', service)).toBe(200);
    expect(authenticate).toHaveBeenCalledTimes(1);
    expect(await statusOf('/api/elsewhere/x', service)).toBe(404);
    expect(authenticate).toHaveBeenCalledTimes(2);
  });

  it('opens nothing where it stands at another path than its plugin', async () => {
    await start({
      apiGate: { allow: [{ plugin: 'pub', path: '/health' }] },
      mount(apiRouter, gate) {
        for (const [path, id] of [
          ['/other', 'pub'],
          ['/login', 'auth'],
          ['/pub', undefined],
        ] as const) {
          apiRouter.use(path, gate(id), (_req, res) => res.json({}));
        }
      },
    });
    for (const target of [
      'other/health',
      'login/x',
      'pub/health',
      'pub/auth',
    ]) {
      expect([target, await statusOf(`/api/${target}`)]).toEqual([target, 401]);
      expect(await statusOf(`/api/${target}`, service)).toBe(200);
    }
  });

  it('answers 503 while the keys of users can not be had, and leaves the cookie alone', async () => {
    const key = await createSigningKey();
    await start({
      env: {
        identity: DefaultIdentityClient.create({
          discovery: discoveryWithoutKeys,
        }),
      },
    });
    const token = await key.sign({ iss: 'http://localhost/api/auth' });
    await key.remove();
    const { status, headers } = await get(
      '/api/pub/x',
      `Cookie: token=${token}`,
    );
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('5');
    expect(headers['set-cookie']).toBeUndefined();
    const signOut = '/api/pub/.backstage/auth/v1/cookie';
    const answer = await rawRequest(app.port, signOut, {
      method: 'DELETE',
      headerLines: [`Cookie: token=${token}`],
    });
    expect(answer.status).toBe(503);
    expect(app.handled).toHaveLength(0);
  });

  it.each([
    ['no user', async () => undefined],
    [
      'an error of any kind',
      async () => {
        throw new TypeError('odd');
      },
    ],
  ])(
    'refuses a user token where the identity client says %s',
    async (_, getIdentity) => {
      const asked = jest.fn(getIdentity);
      const key = await createSigningKey();
      await start({
        env: {
          identity: { getIdentity: asked },
          discovery: {
            ...discoveryWithoutKeys,
            getBaseUrl: async id => `http://localhost:${app.port}/api/${id}`,
          },
        },
        mount(apiRouter, gate) {
          apiRouter.use(gate());
          apiRouter.get('/auth/.well-known/jwks.json', (_req, res) =>
            res.json({ keys: [{}] }),
          );
          apiRouter.use('/pub', (_req, res) => res.json({}));
        },
      });
      const token = await key.sign({ iss: 'http://localhost/api/auth' });
      await key.remove();
      expect(
        await statusOf('/api/pub/x', `Authorization: Bearer ${token}`),
      ).toBe(401);
      expect(asked).toHaveBeenCalledTimes(1);
    },
  );

  it('[P96] refuses the token of an ended session in report-only', async () => {
    const iss = 'http://localhost/api/auth';
    const key = await createSigningKey();
    const token = await key.sign({ iss, sub: USER });
    const older = await key.sign({ iss, sub: USER, iat: now() - 60 });
    await key.remove();
    await start({
      apiGate: { mode: 'report-only' },
      env: { identity: identityOf(token) },
    });
    const statuses = () =>
      Promise.all(
        [token, older].map(text =>
          statusOf('/api/pub/x', `Authorization: Bearer ${text}`),
        ),
      );
    expect(await statuses()).toEqual([200, 200]);
    await rawRequest(app.port, '/api/pub/.backstage/auth/v1/cookie', {
      method: 'DELETE',
      headerLines: [`Authorization: Bearer ${token}`],
    });
    expect(await statuses()).toEqual([401, 200]);
  });

  describe('refuses upgrades below /api', () => {
    /** A plugin that listens at the server from its first request on, as http-proxy-middleware does. */
    const startListening = async (
      gates: (gate: LegacyApiGate) => RequestHandler[],
    ) => {
      const heard: string[] = [];
      await start({
        mount: (apiRouter, gate) => {
          apiRouter.use('/pub', ...gates(gate), (req, res) => {
            const { server } = req.socket as unknown as { server: Server };
            if (server.listenerCount('upgrade') === 0) {
              server.on('upgrade', ({ url }, socket) => {
                heard.push(url!);
                answerUpgrade(socket, 418);
              });
            }
            res.json({});
          });
        },
      });
      expect(await statusOf('/api/pub/x', service)).toBe(200);
      return heard;
    };
    const upgradeStatus = async (target: string, ...headerLines: string[]) => {
      const { status, destroy } = await rawUpgrade(
        app.port,
        target,
        headerLines,
      );
      destroy();
      return status;
    };

    it.each<[string, (gate: LegacyApiGate) => RequestHandler[]]>([
      ['in front of all plugins', gate => [gate(), gate('pub')]],
      ['in front of one', gate => [gate('pub')]],
    ])('[P11] whoever sends them, where the gate is %s', async (_, gates) => {
      const heard = await startListening(gates);
      for (const target of [
        '/api/pub/x',
        '/api/PUB/x',
        '/api/other',
        '/api/../x',
        '/x/../api/pub/x',
        '//api/pub/x',
        // The listener is a plugin's.
        '/x',
      ]) {
        for (const headerLines of [[], [service]]) {
          expect(await upgradeStatus(target, ...headerLines)).toBe(404);
        }
      }
      expect(heard).toEqual([]);
    });

    it('[P11] also as the very first thing, where an adopter listens', async () => {
      const heard: string[] = [];
      const server = createServer().on('upgrade', ({ url }, socket) => {
        heard.push(url!);
        answerUpgrade(socket, 418);
      });
      await start();
      const { port } = await listen(server);
      const first = await rawUpgrade(port, '/api/pub/x');
      const outside = await rawUpgrade(port, '/x');
      expect([first.status, outside.status]).toEqual([404, 418]);
      expect(heard).toEqual(['/x']);
      first.destroy();
      outside.destroy();
    });

    it('while the decision about the first request waits', async () => {
      const authenticate = jest.fn(() => new Promise<void>(() => {}));
      authenticate.mockRejectedValueOnce(new Error('Invalid server token'));
      await start({
        env: { tokenManager: { authenticate } },
        mount: (apiRouter, gate) => {
          apiRouter.use(({ socket }: any, _res, next) => {
            socket.server.on('upgrade', (_: any, to: any) =>
              answerUpgrade(to, 418),
            );
            next();
          }, gate());
        },
      });
      statusOf('/api/pub/x', service).catch(() => {});
      await until(() => authenticate.mock.calls.length === 2);
      expect(await upgradeStatus('/api/pub/x')).toBe(404);
    });
  });
});
