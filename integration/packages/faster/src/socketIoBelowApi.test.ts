import { once } from 'node:events';
import { createServer, RequestListener, Server } from 'node:http';
import { Server as SocketIo } from 'socket.io';
import { io, SocketOptions, ManagerOptions } from 'socket.io-client';
import { freePort } from '../../../../src/__tests__/__testUtils__/freePort';
import { observeBackend } from '../../../../src/__tests__/__testUtils__/observeBackend';
import { rawRequest } from '../../../../src/__tests__/__testUtils__/rawRequest';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import {
  bearer,
  from,
} from '../../../../src/__tests__/__testUtils__/requestParts';
import { rootRouterWith } from '../../../../src/__tests__/__testUtils__/rootHandler';
import { listen } from '../../../../src/__tests__/__testUtils__/serve';
import { signedBackends } from '../../../../src/__tests__/__testUtils__/signedBackends';
import { until } from '../../../../src/__tests__/__testUtils__/until';

const PATH = '/api/live/socket.io/';
const FRONTEND = 'http://localhost:3000';
const PARTNER = 'https://partner.example.com';
const HANDSHAKE = `${PATH}?EIO=4&transport=polling`;

const backends = signedBackends();
afterEach(backends.stopAll);

/** Attaches socket.io as its documentation does. It answers each question, and records the cookies that it sees. */
function attach(server: Server) {
  const cookies: unknown[] = [];
  const socketIo = new SocketIo(server, {
    path: PATH,
    cors: { origin: [FRONTEND, PARTNER], credentials: true },
  });
  backends.add({ stop: () => socketIo.disconnectSockets(true) });
  socketIo.on('connection', socket => {
    cookies.push(socket.handshake.headers.cookie);
    socket.on('ask', (question, answer) => answer(`answer to ${question}`));
  });
  return cookies;
}

type Place = 'early' | 'late' | 'at a further server';
const PLACES: Place[] = ['early', 'late', 'at a further server'];

async function start(place: Place) {
  let server!: Server;
  let cookies: unknown[] = [];
  const backend = await backends.start({
    config: { backend: { cors: { origin: FRONTEND, credentials: true } } },
    features: [
      recordingPlugin('hello').feature,
      rootRouterWith(own => {
        server = own;
        if (place === 'early') {
          cookies = attach(server);
        }
      }),
    ],
  });
  let { port } = backend;
  if (place === 'late') {
    expect(await backend.statusOf('/api/hello/x')).toBe(401);
    cookies = attach(server);
  } else if (place === 'at a further server') {
    const [app] = server.listeners('request') as RequestListener[];
    const further = createServer((req, res) => app(req, res));
    cookies = attach(further);
    ({ port } = await listen(further));
    // The gate finds this server by its first request to a plugin.
    expect((await rawRequest(port, '/api/hello/x')).status).toBe(401);
  }
  const connect = (
    extraHeaders: Record<string, string>,
    options: Partial<ManagerOptions & SocketOptions> = {},
  ) => {
    const socket = io(`http://localhost:${port}`, {
      path: PATH,
      extraHeaders,
      reconnection: false,
      ...options,
    });
    backends.add({ stop: () => socket.disconnect() });
    return socket;
  };
  const get = (target: string, ...headerLines: string[]) =>
    rawRequest(port, target, { headerLines });
  return { ...backend, connect, cookies, get, port };
}

describe.each(PLACES)('[P98] socket.io below /api, attached %s', place => {
  it('needs a credential for polling, and serves events, also after the upgrade', async () => {
    const { connect, cookies, get, sign } = await start(place);
    expect((await get(HANDSHAKE)).status).toBe(401);
    const [refused] = await once(connect({}) as never, 'connect_error');
    expect(String(refused)).toContain('xhr poll error');
    expect(cookies).toEqual([]);

    const token = await sign();
    const headersOf: Record<string, string>[] = [
      { Authorization: `Bearer ${token}` },
      { Cookie: `a=1; token=${token}`, Origin: FRONTEND },
    ];
    for (const headers of headersOf) {
      const polling = connect(headers, { upgrade: false });
      expect(await polling.timeout(5000).emitWithAck('ask', 1)).toBe(
        'answer to 1',
      );
      expect(polling.io.engine.transport.name).toBe('polling');
      polling.disconnect();

      const upgraded = connect(headers);
      await until(() => upgraded.io.engine.transport.name === 'websocket');
      expect(await upgraded.timeout(5000).emitWithAck('ask', 2)).toBe(
        'answer to 2',
      );
      upgraded.disconnect();
    }
    // The plugin reads other cookies, and never the gate's.
    expect(cookies).toEqual([undefined, undefined, 'a=1', 'a=1']);
  });

  it('has CORS of its own, and the backend’s answers preflights', async () => {
    const { get, port, sign } = await start(place);
    const user = bearer(await sign());
    const seen = [];
    for (const origin of [FRONTEND, PARTNER, 'https://evil.com']) {
      const preflight = await rawRequest(port, HANDSHAKE, {
        method: 'OPTIONS',
        headerLines: [from(origin), 'Access-Control-Request-Method: GET'],
      });
      for (const { headers, status } of [
        await get(HANDSHAKE, user, from(origin)),
        await get(HANDSHAKE, from(origin)),
        preflight,
      ]) {
        seen.push([status, headers['access-control-allow-origin']]);
      }
    }
    expect(seen).toEqual([
      ...[
        [200, FRONTEND],
        [401, FRONTEND],
        [204, FRONTEND],
      ],
      ...[
        [200, PARTNER],
        [401, undefined],
        [401, undefined],
      ],
      ...[
        [200, undefined],
        [401, undefined],
        [401, undefined],
      ],
    ]);
    // The headers of the backend are those of its own answers.
    const { headers } = await get(HANDSHAKE, user);
    expect(headers['strict-transport-security']).toBeUndefined();
  });
});

it.each(['enforce', 'report-only'] as const)(
  '[P99] in %s, socket.io changes no answer of the app, no session and no count',
  async mode => {
    const port = await freePort();
    const token = await backends.signFor(port);
    const observed = { backends, mode, port, token };
    const without = await observeBackend(observed);
    for (const isEarly of [true, false]) {
      const attached = { ...observed, attach, isEarly };
      expect(await observeBackend(attached)).toEqual(without);
    }
    expect(without.session).toEqual([
      ...Array(15).fill(200),
      ...Array(6).fill(mode === 'enforce' ? 401 : 200),
    ]);
  },
);

it('[P98] in report-only, socket.io gets each request as without the gate', async () => {
  const port = await freePort();
  let cookies: unknown[] = [];
  const backend = await backends.start({
    port,
    apiGate: { mode: 'report-only' },
    features: [
      rootRouterWith(server => {
        cookies = attach(server);
      }),
    ],
  });
  const socket = io(`http://localhost:${port}`, {
    path: PATH,
    extraHeaders: { Cookie: 'token=x' },
  });
  expect(await socket.timeout(5000).emitWithAck('ask', 'x')).toBe(
    'answer to x',
  );
  socket.disconnect();
  expect(cookies).toEqual([undefined]);
  expect(backend.logged('would have refused').length).toBeGreaterThan(0);
});
