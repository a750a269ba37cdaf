import { once } from 'node:events';
import { createServer, IncomingMessage, Server } from 'node:http';
import { connect, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import * as defaultHttpRouter from '@backstage/backend-defaults/httpRouter';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import { WebSocketServer } from 'ws';
import { codeIn, proseOf, readDocument } from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, forge, from, protocol } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import type { UserTokenClaims } from '../__testUtils__/signingKey';
import { listen } from '../__testUtils__/serve';
import { freePort } from '../__testUtils__/freePort';
import { rootSystemMetadataServiceRef } from '../../backstage/backstageFeatures';
import { until } from '../__testUtils__/until';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const APP = 'http://localhost:3000';
const FOREIGN = 'https://evil.example.com';
const SUB = 'user:default/jane';

// Goes in October 2027: releases before November 2026 have no WebSocket handlers.
const routesUpgrades = 'createWebSocketRouter' in defaultHttpRouter;

const cookie = (token: string) => `Cookie: a=1; token=${token}`;

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
const cleanUp = (stop: () => unknown) => backends.add({ stop });
afterEach(backends.stopAll);

async function start(options: SignedBackendOptions = {}) {
  const caller = recordingPlugin('caller');
  const backend = await backends.start({
    ...options,
    features: [caller.feature, ...(options.features ?? [])],
  });
  return {
    ...backend,
    sign: (claims: Partial<UserTokenClaims> = {}) =>
      backend.sign({ sub: SUB, ...claims }),
    endSessions: async () =>
      backend.endSessions(await caller.tokenFor('auth'), SUB),
  };
}

type Backend = Awaited<ReturnType<typeof start>>;

/** Creates a listener that takes every upgrade below a path, and records its arguments. */
function listenBelow(path: string) {
  const heard: Pick<IncomingMessage, 'url' | 'headers' | 'rawHeaders'>[] = [];
  const webSockets = new WebSocketServer({ noServer: true });
  const listener = (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (req.url?.startsWith(path)) {
      heard.push({
        url: req.url,
        headers: { ...req.headers },
        rawHeaders: [...req.rawHeaders],
      });
      webSockets.handleUpgrade(req, socket, head, client => {
        client.send('hello');
      });
    }
  };
  return { heard, listener };
}

/** Creates an adopter's root router that exposes its server. */
function configuredRouter(
  configure: (server: Server, app: any, routes: any) => void,
) {
  return rootHttpRouterServiceFactory({
    configure({ app, server, routes, applyDefaults }) {
      configure(server as unknown as Server, app, routes);
      applyDefaults();
    },
  });
}

/** Starts a backend whose adopter listens for upgrades below a path. */
async function startListening(
  path: string,
  options: SignedBackendOptions = {},
) {
  const { heard, listener } = listenBelow(path);
  const feature = configuredRouter(server => server.on('upgrade', listener));
  const backend = await start({
    ...options,
    features: [feature, ...(options.features ?? [])],
  });
  return { backend, heard };
}

/** Expects that a valid credential gets an upgrade through to a listener, and that every other upgrade is refused. */
async function expectGuarded(backend: Backend, target: string) {
  const token = await backend.sign();
  const statuses: Record<string, number> = {};
  for (const [name, ...headerLines] of [
    ['nobody'],
    ['nobody from elsewhere', from(FOREIGN)],
    ['forged', bearer(forge(token))],
    ['cookie from elsewhere', cookie(token), from(FOREIGN)],
    ['cookie', cookie(token), from(APP)],
    ['bearer', bearer(token)],
    ['protocol', protocol(token)],
  ]) {
    statuses[name] = await backend.upgradeStatus(target, ...headerLines);
  }
  expect(statuses).toEqual({
    nobody: 401,
    'nobody from elsewhere': 401,
    forged: 401,
    'cookie from elsewhere': 403,
    cookie: 101,
    bearer: 101,
    protocol: 101,
  });
}

describe('[P11] an upgrade below /api needs a credential, whoever listens', () => {
  it("a listener of an adopter's configure, also as the very first thing", async () => {
    const { backend, heard } = await startListening('/api/caller/live');
    expect(await backend.upgradeStatus('/api/caller/live')).toBe(401);
    expect(heard).toEqual([]);
    await expectGuarded(backend, '/api/caller/live');
    expect(heard.map(({ headers }) => headers.cookie)).toEqual([
      'a=1',
      undefined,
      undefined,
    ]);
    expect(JSON.stringify(heard[0].rawHeaders)).not.toContain('token=');
    // Node sends no answer if no listener touches the socket.
    const { status, closed } = await backend.upgrade(
      '/api/caller/nowhere',
      bearer(await backend.sign()),
    );
    await closed;
    expect(status).toBe(404);
  });

  it('also by a connection from before the gate was mounted', async () => {
    const port = await freePort();
    const early = new Socket();
    const connectEarly = () => early.connect(port, 'localhost');
    early.on('error', () => setTimeout(connectEarly, 5));
    connectEarly();
    const slow = createServiceFactory({
      service: rootSystemMetadataServiceRef,
      deps: {},
      async factory() {
        // The server listens by now, and the gate waits for this service.
        await until(() => early.readyState === 'open');
        return { getInstalledPlugins: async () => [] };
      },
    });
    const handled: string[] = [];
    await backends.start({
      port,
      features: [
        slow,
        rootHttpRouterServiceFactory({
          configure({ applyDefaults, server }) {
            applyDefaults();
            server.on('upgrade', (req, socket) => {
              handled.push(req.url!);
              socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
            });
          },
        }),
      ],
    });
    early.write(
      'GET /api/x/y HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    );
    const [answer] = await once(early, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 401 /);
    expect(handled).toEqual([]);
  });

  if (routesUpgrades) {
    it("a root service's handler, and none outside /api", async () => {
      const { heard, listener } = listenBelow('/');
      const rootHandlers = createServiceFactory({
        service: createServiceRef<{}>({ id: 'test.handlers', scope: 'root' }),
        initialization: 'always',
        deps: { router: coreServices.rootHttpRouter },
        factory({ router }) {
          for (const path of ['/api/root/live', '/live']) {
            router.addWebSocketHandler({
              path,
              handler: ({ request, socket, head }) =>
                listener(request, socket, head),
            });
          }
          return {};
        },
      });
      const backend = await start({ features: [rootHandlers] });
      expect(await backend.upgradeStatus('/api/root/live')).toBe(401);
      expect(heard).toEqual([]);
      await expectGuarded(backend, '/api/root/live');
      heard.length = 0;
      const headerLines = [cookie('x'), from(FOREIGN)];
      expect(await backend.upgradeStatus('/live', ...headerLines)).toBe(101);
      expect(heard[0].headers.cookie).toBe('a=1; token=x');
    });

    it('a backend with its own httpRouter', async () => {
      const live = webSocketPlugin('live', {
        '/open': 'unauthenticated',
        '/closed': undefined,
      });
      const { httpRouterServiceFactory } = defaultHttpRouter;
      const backend = await start({
        features: [live.feature, httpRouterServiceFactory],
      });
      expect(await backend.upgradeStatus('/api/live/open')).toBe(401);
      await expectGuarded(backend, '/api/live/open');
      await expectGuarded(backend, '/api/live/closed');
    });
  }
});

/** The headers that the page names. Without them, the endpoint closes all WebSockets. */
const ALLOWED_HEADERS = codeIn(
  proseOf(readDocument('docs/websockets.md')).match(
    /Add (.*?) to its `allowedHeaders`/s,
  )![1],
);

describe('[P11] a proxy endpoint with ws: true', () => {
  /** Starts the proxy plugin in front of a server that echoes each message and records the requests. */
  async function startProxy(apiGate: JsonObject = {}) {
    const target = createServer((_req, res) => res.end('from the target'));
    const echo = new WebSocketServer({ server: target, path: undefined });
    const asked: string[] = [];
    echo.on('connection', (client, req) => {
      asked.push(`${req.url} ${req.headers.authorization ?? ''}`.trim());
      client.send('hello');
    });
    const { stop, url } = await listen(target);
    cleanUp(() => {
      stop();
      echo.clients.forEach(client => client.terminate());
    });
    const backend = await start({
      apiGate,
      features: [proxyPlugin],
      config: {
        proxy: {
          endpoints: {
            '/echo': { target: url, ws: true, allowedHeaders: ALLOWED_HEADERS },
          },
        },
      },
    });
    return { asked, backend, echo };
  }

  /** A first request makes http-proxy-middleware listen at the server. */
  const request = async ({ get, sign }: Backend) => {
    const { body } = await get('/api/proxy/echo/', bearer(await sign()));
    expect(body).toBe('from the target');
  };

  it('[P28] is for nobody without a credential, before and after its first request', async () => {
    const { asked, backend } = await startProxy();
    const targets = ['/api/proxy/echo', '/api/proxy/echo/x', '/api/nowhere'];
    for (const target of targets) {
      expect(await backend.upgradeStatus(target)).toBe(401);
    }
    await request(backend);
    for (const target of [...targets, '/api/proxy/echo/../../../x']) {
      expect(await backend.upgradeStatus(target)).toBe(401);
    }
    // The endpoint's listener takes any path.
    for (const target of ['/', '/x', '/proxy/echo/x', '/apix']) {
      expect([target, await backend.upgradeStatus(target)]).toEqual([
        target,
        404,
      ]);
    }
    expect(asked).toEqual([]);
  });

  it('works with a token or the cookie, until the session ends', async () => {
    const { asked, backend, echo } = await startProxy();
    await request(backend);
    const opened = [
      await backend.upgrade('/api/proxy/echo/a', bearer(await backend.sign())),
      await backend.upgrade(
        '/api/proxy/echo/b',
        cookie(await backend.sign()),
        from(APP),
      ),
    ];
    expect(opened.map(({ status, message }) => [status, message])).toEqual([
      [101, 'hello'],
      [101, 'hello'],
    ]);
    expect(asked).toEqual(['/a', '/b']);
    expect(echo.clients.size).toBe(2);
    await backend.endSessions();
    await Promise.all(opened.map(({ closed }) => closed));
    // The connections to the target end too.
    await until(() => echo.clients.size === 0);
  });

  it('is open to everybody in report-only, as without the gate', async () => {
    const { asked, backend } = await startProxy({ mode: 'report-only' });
    await request(backend);
    for (const target of ['/api/proxy/echo/a', '/x']) {
      expect(await backend.upgradeStatus(target, cookie('x'))).toBe(101);
    }
    expect(asked).toEqual(['/a', '/x']);
    expect(backend.log).toContainEqual(
      expect.objectContaining({
        message: 'API gate would have refused a request',
        meta: expect.objectContaining({ plugin: 'proxy', path: '/echo/a' }),
      }),
    );
  });
});

describe('[P28] as without the gate, byte for byte', () => {
  /** Returns all bytes that arrive within a moment, without the date. */
  const exchange = (port: number, ...lines: string[]) =>
    new Promise<string>(resolve => {
      const socket = connect(port, 'localhost', () =>
        socket.write(`${lines.join('\r\n')}\r\n\r\n`),
      );
      let text = '';
      socket.on('data', chunk => {
        text += chunk.toString('latin1');
      });
      socket.setTimeout(500, () => socket.destroy());
      socket.on('error', () => {});
      socket.on('close', () =>
        resolve(text.replace(/^(Date|RateLimit-Reset|ETag): .*\r\n/gim, '')),
      );
    });
  const upgrade = (
    target: string,
    to = 'websocket',
    ...headerLines: string[]
  ) => [
    `GET ${target} HTTP/1.1`,
    'Host: localhost',
    'Connection: Upgrade',
    `Upgrade: ${to}`,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headerLines,
  ];

  it.each(['nobody listens', 'an adopter listens', 'a plugin has a handler'])(
    'where %s',
    async who => {
      const answers = [];
      for (const withGate of [false, true]) {
        const { listener } = listenBelow('/live');
        const features: SignedBackendOptions['features'] = [];
        if (who === 'an adopter listens') {
          features.push(
            configuredRouter(server =>
              server.on('upgrade', listener).on('upgrade', (_, socket) => {
                // No other code closes a socket that no listener takes.
                cleanUp(() => socket.destroy());
              }),
            ),
          );
        }
        if (who === 'a plugin has a handler' && routesUpgrades) {
          features.push(webSocketPlugin('live', { '/': undefined }).feature);
        }
        const { port, sign } = await start({ withGate, features });
        const token = await sign();
        const socketIo = '/socket.io/?EIO=4&transport=websocket';
        const ofHttp2 = 'HTTP2-Settings: AAMAAABkAAQAAP__';
        const bytes = await Promise.all(
          [
            upgrade('/live'),
            upgrade('/live/', 'x'),
            upgrade('/'),
            upgrade(socketIo, 'websocket', 'Cookie: token=x'),
            upgrade('http://localhost/live'),
            upgrade('/x', 'h2c'),
            upgrade('/.backstage/health/v1/liveness', 'h2c', ofHttp2),
            ['CONNECT x:1 HTTP/1.1', 'Host: localhost'],
            upgrade('/api/auth/.well-known/jwks.json', 'h2c', bearer(token)),
          ].map(lines => exchange(port, ...lines)),
        );
        const [headOfKeys] = bytes.pop()!.split('\r\n\r\n');
        answers.push([...bytes, headOfKeys]);
      }
      expect(answers[1]).toEqual(answers[0]);
    },
  );
});
