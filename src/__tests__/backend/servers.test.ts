import { once } from 'node:events';
import {
  createServer,
  get as getOverHttp,
  RequestListener,
  Server,
} from 'node:http';
import { get as getOverHttps } from 'node:https';
import { AddressInfo } from 'node:net';
import {
  DefaultRootHttpRouter,
  rootHttpRouterServiceFactory,
} from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import express from 'express';
import { merge } from 'lodash';
import { WebSocket, WebSocketServer } from 'ws';
import { accessWith, staticToken } from '../__testUtils__/externalAccess';
import { freePort } from '../__testUtils__/freePort';
import { openedOrRefused } from '../__testUtils__/openedOrRefused';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { listen } from '../__testUtils__/serve';

const TOKEN = 'token-of-the-script';
const AUTHORIZED = { Authorization: `Bearer ${TOKEN}` };

const backends = signedBackends();
afterEach(backends.stopAll);

/** Listens for upgrades at a server, as an adopter may. */
function addListener(server: Server): void {
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (req, socket, head) =>
    webSockets.handleUpgrade(req, socket, head, () => {}),
  );
}

const configured = (
  configure: (server: Server, app: RequestListener) => void,
) =>
  rootHttpRouterServiceFactory({
    configure({ app, server, applyDefaults }) {
      configure(server as Server, app as RequestListener);
      applyDefaults();
    },
  });

/** Creates a server of the adopter's own for an app, which stops with the test. */
async function listenWith(listener: RequestListener, port = 0) {
  const server = createServer(listener);
  addListener(server);
  backends.add({ stop: () => server.close() });
  await once(server.listen(port, 'localhost'), 'listening');
  return server;
}

/** Creates a root router of the adopter's own, with a server at a port. */
const ownRootRouter = (onServer: (server: Server) => void, port?: number) =>
  createServiceFactory({
    service: coreServices.rootHttpRouter,
    deps: {},
    async factory() {
      const router = DefaultRootHttpRouter.create();
      const app = express().use(express().use(router.handler()));
      onServer(await listenWith(app, port));
      return router;
    },
  });

interface Row extends SignedBackendOptions {
  /** The server to ask, if it is not the first one of the backend. */
  server?(): Server | undefined;
  path?: string;
  /** Whether the gate finds the server by its first request only: see `What it does not protect` in docs/assurance.md. */
  isFoundLate?: boolean;
}

/** Has an app listen at a second server, by a listener that is made of it. */
function secondServer(wrap: (app: RequestListener) => RequestListener): Row {
  let second: Server;
  return {
    features: [
      configured((_, app) => {
        listenWith(wrap(app)).then(server => (second = server));
      }),
    ],
    server: () => second,
  };
}

const ROWS: Record<string, () => Row | Promise<Row>> = {
  'Backstage’s own server': () => ({ features: [configured(addListener)] }),
  'a second server of the app': () => secondServer(app => app),
  'a second server, whose listener calls the app': () => ({
    ...secondServer(app => (req, res) => app(req, res)),
    isFoundLate: true,
  }),
  'a second server, of another app': () => ({
    ...secondServer(app => express().use(app)),
    isFoundLate: true,
  }),
  'an https server': async () => {
    const port = await freePort();
    const baseUrl = `https://localhost:${port}`;
    return {
      port,
      config: { backend: { https: true, baseUrl } },
      features: [configured(addListener)],
    };
  },
  'a rootHttpRouter of the app': async () => {
    const port = await freePort();
    return { port, features: [ownRootRouter(() => {}, port)] };
  },
  'a rootHttpRouter of the app, at a port that is not configured': () => {
    let own: Server;
    return {
      features: [ownRootRouter(server => (own = server))],
      isFoundLate: true,
      server: () => own,
    };
  },
  'a proxy with ws: true': async () => {
    const target = createServer((_req, res) => res.end());
    const echo = new WebSocketServer({ server: target });
    const { stop, url } = await listen(target);
    backends.add({
      stop() {
        stop();
        echo.clients.forEach(client => client.terminate());
      },
    });
    const endpoint = {
      target: url,
      ws: true,
      allowedHeaders: [
        'connection',
        'upgrade',
        'sec-websocket-key',
        'sec-websocket-version',
      ],
    };
    return {
      features: [proxyPlugin],
      config: { proxy: { endpoints: { '/echo': endpoint } } },
      path: '/api/proxy/echo/',
    };
  },
};

it.each(Object.keys(ROWS))(
  '[P11] %s: an upgrade needs a credential, as requests do',
  async name => {
    const { server, path = '/api/hello/x', ...row } = await ROWS[name]();
    const config = merge(
      accessWith(staticToken(TOKEN, 'script')),
      row.config ?? {},
    );
    const backend = await backends.start({
      ...row,
      config,
      features: [recordingPlugin('hello').feature, ...row.features!],
    });
    const { port } = server
      ? (server()!.address() as AddressInfo)
      : { port: row.port ?? backend.port };
    const isHttps = 'https' in (config as any).backend;
    const at = `${isHttps ? 's' : ''}://localhost:${port}${path}`;
    const upgrade = async (headers = {}) => {
      const client = new WebSocket(`ws${at}`, {
        headers,
        rejectUnauthorized: false,
      });
      const opened = await openedOrRefused(client);
      client.terminate();
      return typeof opened === 'number' ? opened : 101;
    };
    const request = async (headers = {}) => {
      const get = isHttps ? getOverHttps : getOverHttp;
      const options = { headers, rejectUnauthorized: false };
      const [answer] = await once(get(`http${at}`, options), 'response');
      answer.resume();
      return answer.statusCode;
    };
    expect(await upgrade()).toBe(row.isFoundLate ? 101 : 401);
    expect(await request()).toBe(401);
    expect(await upgrade()).toBe(401);
    // The first request that passes makes a proxy listen.
    expect(await request(AUTHORIZED)).toBe(200);
    expect(await upgrade()).toBe(401);
    expect(await upgrade(AUTHORIZED)).toBe(101);
  },
);
