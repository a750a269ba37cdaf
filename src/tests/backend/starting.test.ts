import { createServer } from 'node:http';
import {
  coreServices,
  createBackendModule,
  createBackendPlugin,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { httpRouterServiceFactory } from '@backstage/backend-defaults/httpRouter';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { until } from '../../__testUtils__/until';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import {
  freePort,
  RunningBackend,
  startBackend,
} from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

// Goes in August 2027: releases before September 2026 fetch the keys of users again for each unknown key.
const { API_GATE_TEST_RELEASE: release = '2026-11' } = process.env;
const limitsFetches = release >= '2026-09';

const openAll = [{ path: '/', allow: 'unauthenticated' } as const];
let key: SigningKey;
let backend: RunningBackend | undefined;

beforeAll(async () => {
  key = await createSigningKey();
});
afterAll(() => key.remove());
afterEach(async () => {
  await backend?.stop();
  backend = undefined;
});

/** Returns a promise that a test resolves. */
function latch() {
  let open!: () => void;
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { open, opened };
}

const pause = (milliseconds: number) => ({
  backend: { lifecycle: { startupRequestPauseTimeout: { milliseconds } } },
});

describe('a request while the backend starts', () => {
  it('waits for its plugin as in a stock backend, then passes', async () => {
    const { open, opened } = latch();
    const slow = recordingPlugin('slow', { init: () => opened });
    const port = await freePort();
    const token = await key.sign({ iss: `http://localhost:${port}/api/auth` });
    const starting = startBackend({
      port,
      features: [slow.feature],
      config: key.config,
    });
    await until(() =>
      rawRequest(port, '/api/auth/.well-known/jwks.json').then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    const answer = rawRequest(port, '/api/slow/x', {
      headerLines: [`Authorization: Bearer ${token}`],
    });
    setTimeout(open, 300);
    backend = await starting;
    expect((await answer).status).toBe(200);
  });

  it.each(['slow', 'auth'])(
    'is 503 with Retry-After, never open and never 401, when %s takes too long',
    async slowPlugin => {
      const { open, opened } = latch();
      const slow = recordingPlugin('slow', {
        policies: openAll,
        init: () => (slowPlugin === 'slow' ? opened : undefined),
      });
      const port = await freePort();
      const token = await key.sign({
        iss: `http://localhost:${port}/api/auth`,
      });
      const starting = startBackend({
        port,
        features: [
          slow.feature,
          createBackendModule({
            pluginId: 'auth',
            moduleId: 'slow',
            register(reg) {
              reg.registerInit({
                deps: {},
                init: async () => {
                  await (slowPlugin === 'auth' && opened);
                },
              });
            },
          }),
        ],
        config: { ...key.config, ...pause(200) },
      });
      await until(() =>
        rawRequest(port, '/api/nosuchplugin/x').then(
          ({ status }) => status === 401,
          () => false,
        ),
      );
      await new Promise(resolve => setTimeout(resolve, 500));
      for (const headerLines of [
        [`Authorization: Bearer ${token}`],
        [`Cookie: token=${token}`],
      ]) {
        const { status, headers } = await rawRequest(port, '/api/slow/x', {
          headerLines,
        });
        expect(status).toBe(503);
        expect(headers['retry-after']).toMatch(/^\d+$/);
        expect(headers['set-cookie']).toBeUndefined();
      }
      expect(slow.handled).toHaveLength(0);
      open();
      backend = await starting;
      const { status } = await rawRequest(port, '/api/slow/x', {
        headerLines: [`Authorization: Bearer ${token}`],
      });
      expect(status).toBe(200);
    },
  );

  it('[P4] is never open to a plugin that registers late, or whose init fails', async () => {
    const failing = createBackendPlugin({
      pluginId: 'failing',
      register(reg) {
        reg.registerInit({
          deps: { httpRouter: coreServices.httpRouter },
          async init({ httpRouter }) {
            httpRouter.addAuthPolicy(openAll[0]);
            httpRouter.use((_req, res) => {
              res.json({});
            });
            throw new Error('init failed');
          },
        });
      },
    });
    const statuses: number[] = [];
    let probing = true;
    const late = recordingPlugin('late', {
      policies: openAll,
      init: () => new Promise(resolve => setTimeout(resolve, 500)),
    });
    let probes: Promise<void> | undefined;
    backend = await startBackend({
      features: [late.feature, failing],
      config: {
        backend: {
          ...pause(100).backend,
          startup: {
            plugins: { failing: { onPluginBootFailure: 'continue' } },
          },
        },
      },
      whileStarting: url => {
        const port = Number(new URL(url).port);
        probes = (async () => {
          while (probing) {
            for (const target of ['/api/late/x', '/api/failing/x']) {
              await rawRequest(port, target).then(
                ({ status }) => statuses.push(status),
                () => {},
              );
            }
            await new Promise(resolve => setTimeout(resolve, 10));
          }
        })();
      },
    });
    await new Promise(resolve => setTimeout(resolve, 200));
    probing = false;
    await probes;
    expect(late.handled).toHaveLength(0);
    expect(new Set(statuses)).not.toContain(200);
    expect(statuses).toContain(503);
    expect((await rawRequest(backend.port, '/api/late/x')).status).toBe(401);
    expect((await rawRequest(backend.port, '/api/failing/x')).status).toBe(503);
  });
});

describe('[P7] the key endpoint of auth', () => {
  async function withAuthElsewhere(
    respond: (() => { status: number; body: string }) | undefined,
  ) {
    const server = createServer((_req, res) => {
      const { status, body } = respond!();
      res.writeHead(status, { 'Content-Type': 'application/json' }).end(body);
    });
    const authPort = await freePort();
    if (respond) {
      await new Promise<void>(resolve => {
        server.listen(authPort, 'localhost', resolve);
      });
    }
    const hello = recordingPlugin('hello', { policies: openAll });
    backend = await startBackend({
      withAuth: false,
      features: [hello.feature],
      config: {
        discovery: {
          endpoints: [
            {
              target: `http://localhost:${authPort}/api/{{pluginId}}`,
              plugins: ['auth'],
            },
          ],
        },
      },
    });
    const token = await key.sign({
      iss: `http://localhost:${authPort}/api/auth`,
    });
    const answers = [];
    for (const headerLine of [
      `Authorization: Bearer ${token}`,
      `Cookie: token=${token}`,
    ]) {
      answers.push(
        await rawRequest(backend.port, '/api/hello/x', {
          headerLines: [headerLine],
        }),
      );
    }
    answers.push(await rawRequest(backend.port, '/api/hello/x'));
    await new Promise(resolve => server.close(resolve));
    return { answers, handled: hello.handled };
  }

  it.each([
    ['is unreachable', undefined],
    ['fails', () => ({ status: 500, body: '{}' })],
    ['answers something else', () => ({ status: 200, body: '<html>' })],
    ['has no keys', () => ({ status: 200, body: '{"keys":[]}' })],
  ])('%s: 503 for a token, 401 for none', async (_, respond) => {
    const { answers, handled } = await withAuthElsewhere(respond);
    expect(answers.map(({ status }) => status)).toEqual([503, 503, 401]);
    expect(answers[0].headers['retry-after']).toMatch(/^\d+$/);
    expect(answers[1].headers['set-cookie']).toBeUndefined();
    expect(handled).toHaveLength(0);
  });
});

describe('an adopter', () => {
  const hello = () => recordingPlugin('hello', { policies: openAll });

  it('without the auth plugin is gated', async () => {
    const plugin = hello();
    const other = recordingPlugin('other');
    backend = await startBackend({
      withAuth: false,
      features: [plugin.feature, other.feature],
    });
    const { port } = backend;
    expect((await rawRequest(port, '/api/hello/x')).status).toBe(401);
    expect(plugin.handled).toHaveLength(0);
    const token = await other.tokenFor('hello');
    const { status } = await rawRequest(port, '/api/hello/x', {
      headerLines: [`Authorization: Bearer ${token}`],
    });
    expect(status).toBe(200);
  });

  it('with a root router of their own, and no error middleware, is gated', async () => {
    const plugin = hello();
    backend = await startBackend({
      features: [
        plugin.feature,
        rootHttpRouterServiceFactory({
          configure({ app, routes }) {
            app.use(routes);
          },
        }),
      ],
    });
    for (const target of ['/api/hello/x', '/api/nosuchplugin/x']) {
      const { status, headers, body } = await rawRequest(backend.port, target);
      expect(status).toBe(401);
      expect(headers['content-type']).toMatch('application/json');
      expect(body).not.toMatch(/at .*\.ts/);
    }
    expect(plugin.handled).toHaveLength(0);
  });

  it('with an httpRouter of their own is gated, and finds a warning in the log', async () => {
    const plugin = hello();
    const { deps, factory } = httpRouterServiceFactory as any;
    backend = await startBackend({
      features: [
        plugin.feature,
        createServiceFactory({
          service: coreServices.httpRouter,
          deps,
          factory,
        }) as never,
      ],
      config: {
        auth: { apiGate: { allow: [{ plugin: 'hello', path: '/health' }] } },
      },
    });
    const { port, log } = backend;
    expect((await rawRequest(port, '/api/hello/x')).status).toBe(401);
    expect((await rawRequest(port, '/api/hello/health')).status).toBe(200);
    expect(plugin.handled).toHaveLength(1);
    expect(
      log.some(
        ({ level, message }) =>
          level === 'warn' && message.includes('its own httpRouter service'),
      ),
    ).toBe(true);
  });

  it('with dangerouslyDisableDefaultAuthPolicy is gated, and finds a warning in the log', async () => {
    const plugin = recordingPlugin('closed');
    backend = await startBackend({
      features: [plugin.feature],
      config: {
        backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
        auth: { apiGate: { allow: [{ plugin: 'closed', path: '/health' }] } },
      },
    });
    const { port, log } = backend;
    expect((await rawRequest(port, '/api/closed/x')).status).toBe(401);
    expect(plugin.handled).toHaveLength(0);
    expect((await rawRequest(port, '/api/closed/health')).status).toBe(200);
    expect(log).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: expect.stringContaining(
          'DefaultAuthPolicy: takes the barriers',
        ),
      }),
    );
  });

  it('with a handler on the root router below /api is gated, whatever the form of the target', async () => {
    let handled = 0;
    // The gateway plugin mounts itself like this: a function, not a router, which runs for targets without a path.
    const rootHandler = createBackendPlugin({
      pluginId: 'rooted',
      register(reg) {
        reg.registerInit({
          deps: { rootHttpRouter: coreServices.rootHttpRouter },
          async init({ rootHttpRouter }) {
            rootHttpRouter.use('/api/rawfn', (_req, res) => {
              handled += 1;
              res.end('raw');
            });
          },
        });
      },
    });
    backend = await startBackend({ features: [rootHandler] });
    for (const target of [
      '/api/rawfn',
      'foo://any/api/rawfn',
      'foo://any/api/rawfn?q',
      'foo:///api/rawfn/',
      'http:///api/rawfn',
      'file:///api/rawfn#x',
    ]) {
      for (const method of ['GET', 'POST', 'OPTIONS']) {
        const { status } = await rawRequest(backend.port, target, { method });
        expect([target, method, status]).toEqual([target, method, 401]);
      }
    }
    expect(handled).toBe(0);
  });

  it('whose plugin has an id with capitals is served and gated like any other', async () => {
    const plugin = recordingPlugin('myPlugin');
    const other = recordingPlugin('other');
    backend = await startBackend({
      features: [plugin.feature, other.feature],
      config: {
        auth: { apiGate: { allow: [{ plugin: 'myplugin', path: '/health' }] } },
      },
    });
    const { port } = backend;
    const get = async (target: string, token?: string) => {
      const headerLines = token ? [`Authorization: Bearer ${token}`] : [];
      return (await rawRequest(port, target, { headerLines })).status;
    };
    expect(await get('/api/myPlugin/.backstage/auth/v1/jwks.json')).toBe(200);
    expect(await get('/api/myPlugin/health')).toBe(200);
    expect(await get('/api/myplugin/health')).toBe(401);
    expect(await get('/api/myPlugin/x')).toBe(401);
    expect(await get('/api/myPlugin/x', await other.tokenFor('myPlugin'))).toBe(
      200,
    );
    expect(await get('/api/other/x', await plugin.tokenFor('other'))).toBe(200);
    expect(
      await get('/api/absentOne/x', await plugin.tokenFor('absentOne')),
    ).toBe(404);
  });

  it('whose middleware answers first gets no second answer, and loses no request', async () => {
    const { open, opened } = latch();
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown) => rejections.push(reason);
    process.on('unhandledRejection', onRejection);
    const slow = recordingPlugin('slow', { init: () => opened });
    const port = await freePort();
    const starting = startBackend({
      port,
      features: [
        slow.feature,
        rootHttpRouterServiceFactory({
          configure({ app, routes }) {
            app.use((_req, res, next) => {
              setTimeout(() => res.headersSent || res.status(504).end(), 100);
              next();
            });
            app.use(routes);
          },
        }),
      ],
      config: pause(300),
    });
    await until(() =>
      rawRequest(port, '/api/nosuchplugin/x').then(
        ({ status }) => status === 401,
        () => false,
      ),
    );
    expect((await rawRequest(port, '/api/slow/x')).status).toBe(504);
    await new Promise(resolve => setTimeout(resolve, 500));
    open();
    backend = await starting;
    process.off('unhandledRejection', onRejection);
    expect(rejections).toEqual([]);
    expect(slow.handled).toHaveLength(0);
  });

  it('whose middleware has read the headers hides no cookie in them', async () => {
    const token = async (url: string) => key.sign({ iss: `${url}/api/auth` });
    const seen: unknown[] = [];
    const plugin = recordingPlugin('seeing', {
      handle: (req, res) => {
        seen.push(
          req.headersDistinct.cookie,
          req.headersDistinct.authorization,
        );
        res.end();
      },
    });
    backend = await startBackend({
      features: [
        plugin.feature,
        rootHttpRouterServiceFactory({
          configure({ app, routes }) {
            app.use((req, _res, next) => {
              expect(req.headersDistinct).toBeDefined();
              next();
            });
            app.use(routes);
          },
        }),
      ],
      config: key.config,
    });
    const value = await token(backend.url);
    await rawRequest(backend.port, '/api/seeing/x', {
      headerLines: [`Cookie: a=1; token=${value}`],
    });
    expect(seen).toEqual([['a=1'], [`Bearer ${value}`]]);
  });

  it('does not fetch keys again for each absent plugin that a client makes up', async () => {
    let fetches = 0;
    const keys = createServer((_req, res) => {
      fetches += 1;
      res.setHeader('Content-Type', 'application/json');
      res.end('{"keys":[{"kty":"EC","kid":"other"}]}');
    });
    const authPort = await freePort();
    await new Promise<void>(resolve => {
      keys.listen(authPort, 'localhost', resolve);
    });
    backend = await startBackend({
      withAuth: false,
      features: [hello().feature],
      config: {
        discovery: {
          endpoints: [
            {
              target: `http://localhost:${authPort}/api/{{pluginId}}`,
              plugins: ['auth'],
            },
          ],
        },
      },
    });
    const token = await key.sign({
      iss: `http://localhost:${authPort}/api/auth`,
    });
    fetches = 0;
    for (let i = 0; i < 60; i += 1) {
      const { status } = await rawRequest(backend.port, `/api/absent${i}/x`, {
        headerLines: [`Authorization: Bearer ${token}`],
      });
      expect(status).toBe(401);
    }
    await new Promise(resolve => keys.close(resolve));
    expect(fetches).toBeLessThan(limitsFetches ? 25 : 100);
  });
});
