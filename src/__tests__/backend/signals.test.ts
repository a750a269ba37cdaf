import { once } from 'node:events';
import { connect as connectTcp, Socket } from 'node:net';
import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import { createBackendPlugin } from '@backstage/backend-plugin-api';
import signalsPlugin from '@backstage/plugin-signals-backend';
import {
  SignalsService,
  signalsServiceRef,
} from '@backstage/plugin-signals-node';
import { WebSocket } from 'ws';
import { openedOrRefused } from '../__testUtils__/openedOrRefused';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { forge } from '../__testUtils__/requestParts';
import { SignedBackend, signedBackends } from '../__testUtils__/signedBackends';
import { until } from '../__testUtils__/until';

const APP = 'http://localhost:3000';
const FOREIGN = 'https://evil.example.com';
const USER = 'user:development/guest';

// Goes in October 2027: releases before November 2026 have no WebSocket handlers. There, signals takes upgrades from the server
// itself, after Express has passed it one.
const routesUpgrades = 'createWebSocketRouter' in httpRouter;

const backends = signedBackends();
let backend: SignedBackend;
let signals: SignalsService;
let caller: ReturnType<typeof recordingPlugin>;
let first: Socket | undefined;

const sender = createBackendPlugin({
  pluginId: 'sender',
  register(reg) {
    reg.registerInit({
      deps: { signals: signalsServiceRef },
      async init(deps) {
        signals = deps.signals;
      },
    });
  },
});

beforeEach(async () => {
  caller = recordingPlugin('caller');
  backend = await backends.start({
    features: [signalsPlugin, sender, caller.feature],
  });
});
afterEach(async () => {
  first?.destroy();
  await backends.stopAll();
});

/** Returns a token of a user whom the `auth` plugin knows. */
const signIn = () => backend.guest();

const endSessions = async () =>
  backend.endSessions(await caller.tokenFor('auth'), USER);

/** Opens a WebSocket as a frontend does: a first upgrade that signals takes from Express gets no answer, and frontends retry. */
const connect = ({
  path = '/api/signals',
  protocol = [] as string | string[],
  cookie = '',
  origin = APP,
}): Promise<WebSocket | number> =>
  openedOrRefused(
    new WebSocket(`ws://localhost:${backend.port}${path}`, protocol, {
      origin,
      handshakeTimeout: 4_000,
      headers: cookie ? { Cookie: `token=${cookie}` } : {},
    }),
  );

/** Sends a first upgrade. Without handlers, signals takes it from Express, and listens at the server from then on. */
async function wakeSignals(): Promise<Socket> {
  const token = await signIn();
  const socket = connectTcp(backend.port, 'localhost');
  first = socket;
  socket.on('error', () => {});
  socket.write(
    [
      'GET /api/signals HTTP/1.1',
      'Host: localhost',
      'Connection: Upgrade',
      'Upgrade: websocket',
      `Sec-WebSocket-Protocol: ${token}`,
      '',
      '',
    ].join('\r\n'),
  );
  if (!routesUpgrades) {
    // No other upgrade may overtake this one.
    await new Promise(resolve => setTimeout(resolve, 500));
  }
  await until(async () => {
    const client = await connect({ protocol: token }).catch(() => undefined);
    return client instanceof WebSocket;
  });
  return socket;
}

/** Subscribes to a channel, and sends signals to its user until one arrives. */
async function messageAt(client: WebSocket): Promise<unknown> {
  let message: unknown;
  client.once('message', data => {
    message = JSON.parse(String(data));
  });
  client.send(JSON.stringify({ action: 'subscribe', channel: 'news' }));
  await until(async () => {
    await signals.publish({
      recipients: { type: 'user', entityRef: USER },
      channel: 'news',
      message: { text: 'hello' },
    });
    return message !== undefined;
  });
  return message;
}

const REFUSED = {
  nobody: 401,
  'nobody, from a foreign origin': 401,
  forged: 401,
  'cookie from a foreign origin': 403,
  'revoked token': 401,
  'revoked cookie': 401,
  // Signals itself accepts every path that ends like its address.
  'nobody, at a path outside /api': 404,
  'a path without a handler': 404,
  'nobody, at a path without a handler': 401,
};

async function statusesOfRefused() {
  const revoked = await signIn();
  await endSessions();
  // A token that is issued in the same second belongs to the revoked sessions.
  await new Promise(resolve => setTimeout(resolve, 1_000));
  const token = await signIn();
  return {
    nobody: await connect({}),
    'nobody, from a foreign origin': await connect({ origin: FOREIGN }),
    forged: await connect({ protocol: forge(token) }),
    'cookie from a foreign origin': await connect({
      cookie: token,
      origin: FOREIGN,
    }),
    'revoked token': await connect({ protocol: revoked }),
    'revoked cookie': await connect({ cookie: revoked }),
    'nobody, at a path outside /api': await connect({ path: '/signals' }),
    'a path without a handler': await connect({
      path: '/api/signals/nowhere',
      protocol: token,
    }),
    'nobody, at a path without a handler': await connect({
      path: '/api/signals/nowhere',
    }),
  };
}

const arrived = { channel: 'news', message: { text: 'hello' } };

describe('[P11] signals', () => {
  it('arrive with the token that the frontend sends, until its session ends', async () => {
    await wakeSignals();
    const protocol = await signIn();
    const client = (await connect({ protocol })) as WebSocket;
    expect(client.protocol).toBe(protocol);
    expect(await messageAt(client)).toEqual(arrived);
    const closed = once(client, 'close');
    await endSessions();
    await closed;
  });

  it('open with the cookie alone, until its session ends', async () => {
    await wakeSignals();
    const client = (await connect({ cookie: await signIn() })) as WebSocket;
    // Signals treats it as a guest's WebSocket if it listens at the server itself.
    const message = routesUpgrades ? await messageAt(client) : arrived;
    expect(message).toEqual(arrived);
    const closed = once(client, 'close');
    await endSessions();
    await closed;
    expect(await statusesOfRefused()).toEqual(REFUSED);
  });

  if (!routesUpgrades) {
    it('close the first upgrade too, which Express passes on, when its session ends', async () => {
      const socket = await wakeSignals();
      expect(socket.destroyed).toBe(false);
      const closed = once(socket, 'close');
      await endSessions();
      await closed;
      expect(socket.destroyed).toBe(true);
    });
  }
});
