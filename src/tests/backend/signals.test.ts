import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import signalsPlugin from '@backstage/plugin-signals-backend';
import {
  SignalsService,
  signalsServiceRef,
} from '@backstage/plugin-signals-node';
import { WebSocket } from 'ws';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { RunningBackend, startBackend } from '../../__testUtils__/startBackend';
import { until } from '../../__testUtils__/until';

jest.setTimeout(60_000);

const APP = 'http://localhost:3000';
const FOREIGN = 'https://evil.example.com';
const USER = 'user:development/guest';

// Since backend-defaults 0.19. Before, signals takes upgrades from the server itself, once Express has brought it one.
const routesUpgrades = 'createWebSocketRouter' in httpRouter;

let backend: RunningBackend;
let signals: SignalsService;
let serviceToken: () => Promise<string>;

const sender = createBackendPlugin({
  pluginId: 'sender',
  register(reg) {
    reg.registerInit({
      deps: { auth: coreServices.auth, signals: signalsServiceRef },
      async init(deps) {
        signals = deps.signals;
        serviceToken = async () => {
          const { token } = await deps.auth.getPluginRequestToken({
            onBehalfOf: await deps.auth.getOwnServiceCredentials(),
            targetPluginId: 'auth',
          });
          return token;
        };
      },
    });
  },
});

beforeEach(async () => {
  backend = await startBackend({ features: [signalsPlugin, sender] });
});
afterEach(() => backend.stop());

/** A token as the guest provider issues it: of the user that signals asks the `auth` plugin about. */
async function signIn(): Promise<string> {
  const { body } = await rawRequest(backend.port, '/api/auth/guest/refresh');
  return JSON.parse(body).backstageIdentity.token;
}

async function endSessions() {
  const { status } = await rawRequest(
    backend.port,
    '/api/auth/api-gate/v1/revocations',
    {
      method: 'POST',
      headerLines: [
        `Authorization: Bearer ${await serviceToken()}`,
        'Content-Type: application/json',
      ],
      body: JSON.stringify({ userEntityRef: USER }),
    },
  );
  expect(status).toBe(201);
}

/** Opens a WebSocket as a frontend does. `taken`: somebody has the request, and does not answer it. */
async function connect(options: {
  protocol?: string;
  cookie?: string;
  origin?: string;
}): Promise<WebSocket | number | 'taken'> {
  const client = new WebSocket(
    `ws://localhost:${backend.port}/api/signals`,
    options.protocol ?? [],
    {
      origin: options.origin ?? APP,
      handshakeTimeout: 1_000,
      headers: options.cookie ? { Cookie: `token=${options.cookie}` } : {},
    },
  );
  return new Promise((resolve, reject) => {
    client.once('open', () => resolve(client));
    client.once('unexpected-response', (_, { statusCode }) => {
      client.on('error', () => {});
      client.terminate();
      resolve(statusCode!);
    });
    client.once('error', error =>
      error.message.includes('timed out') ? resolve('taken') : reject(error),
    );
  });
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

async function statusesOfRefused() {
  const revoked = await signIn();
  await endSessions();
  // What is issued in the same second is of the sessions that were ended.
  await new Promise(resolve => setTimeout(resolve, 1_000));
  const token = await signIn();
  return {
    nobody: await connect({}),
    forged: await connect({
      protocol: `${token.slice(0, -40)}AAAA${token.slice(-36)}`,
    }),
    'cookie from a foreign origin': await connect({
      cookie: token,
      origin: FOREIGN,
    }),
    'revoked token': await connect({ protocol: revoked }),
    'revoked cookie': await connect({ cookie: revoked }),
  };
}

const REFUSED = {
  nobody: 401,
  forged: 401,
  'cookie from a foreign origin': 403,
  'revoked token': 401,
  'revoked cookie': 401,
};

const arrived = { channel: 'news', message: { text: 'hello' } };

describe('signals', () => {
  it('are refused to everybody who has no valid credential', async () => {
    expect(await statusesOfRefused()).toEqual(REFUSED);
  });

  it('arrive with the token that the frontend sends', async () => {
    const protocol = await signIn();
    const first = await connect({ protocol });
    expect(first === 'taken').toBe(!routesUpgrades);
    const client =
      first instanceof WebSocket
        ? first
        : ((await connect({ protocol })) as WebSocket);
    expect(client.protocol).toBe(protocol);
    expect(await messageAt(client)).toEqual(arrived);
    client.terminate();
  });

  if (routesUpgrades) {
    it('arrive with the cookie alone, until its session ends', async () => {
      const client = (await connect({ cookie: await signIn() })) as WebSocket;
      expect(await messageAt(client)).toEqual(arrived);
      const closed = new Promise(resolve => client.once('close', resolve));
      await endSessions();
      await closed;
      expect(await statusesOfRefused()).toEqual(REFUSED);
    });
  } else {
    it('come up with the cookie alone; what comes after that, the gate does not see', async () => {
      const cookie = await signIn();
      expect(await connect({ cookie })).toBe('taken');
      // Signals itself now takes it for that of a guest.
      for (const options of [{}, { cookie }, { cookie, origin: FOREIGN }]) {
        const client = (await connect(options)) as WebSocket;
        expect(client.readyState).toBe(WebSocket.OPEN);
        client.terminate();
      }
    });
  }
});
