import { once } from 'node:events';
import { channel } from 'node:diagnostics_channel';
import { createServer, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import express, { RequestHandler, Router } from 'express';
import { until } from '../__tests__/__testUtils__/until';
import { assertHooksWork, findServers } from './findServers';

const connections = channel('net.server.socket');
const mount: RequestHandler = (_req, _res, next) => next();

/** Announces a new connection to a server as Node does. */
const connectTo = (server: object | undefined) =>
  connections.publish({ socket: { server } });

let stop = () => {};
const start = (config: JsonObject = {}) => {
  const found: Server[] = [];
  stop = findServers({
    config: new ConfigReader(config),
    mount,
    onFound: server => found.push(server),
  });
  return found;
};
afterEach(() => stop());

const appWith = (handler: RequestHandler) =>
  express().use(Router().use('/api/:gatedPluginId', handler));

describe('findServers', () => {
  it('finds each server of the app by its first connection', () => {
    const found = start();
    const app = appWith(mount);
    const holding = express().use(Router().use(Router().use(mount)));
    const servers = [app, app, holding].map(each => createServer(each));
    for (const server of [...servers, ...servers]) {
      connectTo(server);
    }
    expect(found).toEqual(servers);
  });

  it('finds the server at the port of the configuration, whatever it leads to', async () => {
    const servers = [0, 1].map(() =>
      createServer((_req, res) => res.end()).listen(0, '127.0.0.1'),
    );
    await Promise.all(servers.map(server => once(server, 'listening')));
    const { port } = servers[1].address() as AddressInfo;
    const found = start({ backend: { listen: { host: '127.0.0.1', port } } });
    servers.forEach(connectTo);
    servers.forEach(server => server.close());
    expect(found).toEqual([servers[1]]);
  });

  it('finds a server that listens already without a new connection, and one that gets the app later by the next', async () => {
    const servers = [
      createServer(appWith(mount)),
      createServer(),
      createServer(),
    ];
    for (const server of servers) {
      await once(server.listen(0, '127.0.0.1'), 'listening');
    }
    const found = start();
    expect(found).toEqual([servers[0]]);
    servers[1].on('request', appWith(mount));
    servers.forEach(connectTo);
    servers.forEach(server => server.close());
    expect(found).toEqual(servers.slice(0, 2));
  });

  it('finds a server that has other listeners beside the app', () => {
    const found = start();
    const server = createServer(() => {}).on('request', appWith(mount));
    connectTo(server);
    expect(found).toEqual([server]);
  });

  it('searches a router that holds itself, or what is no handler, to its end', () => {
    const found = start();
    const circular = Router();
    circular.use(circular);
    const searched = [{ handle: circular }, {}, { handle: mount }].map(layer =>
      Object.assign(() => {}, { stack: [layer, { handle: mount }] }),
    );
    const servers = searched.map(each => createServer(each));
    [createServer(appWith(circular)), ...servers].forEach(connectTo);
    expect(found).toEqual(servers);
  });

  it('leaves other servers alone, and those that wrap the app', () => {
    const found = start();
    const app = appWith(mount);
    connectTo(createServer(appWith((_req, _res, next) => next())));
    connectTo(createServer((req, res) => app(req, res)));
    connectTo(createServer(express().use(app)));
    connectTo(undefined);
    expect(found).toEqual([]);
  });

  it('searches a server once, when it has a listener for requests', () => {
    const found = start();
    const server = createServer();
    connectTo(server);
    server.on('request', appWith(mount));
    const searched = jest.spyOn(server, 'listeners');
    for (let i = 0; i < 3; i += 1) {
      connectTo(server);
    }
    expect(found).toEqual([server]);
    expect(searched).toHaveBeenCalledTimes(1);
  });

  it('ends its search', () => {
    const found = start();
    expect(connections.hasSubscribers).toBe(true);
    stop();
    expect(connections.hasSubscribers).toBe(false);
    connectTo(createServer(appWith(mount)));
    expect(found).toEqual([]);
  });
});

describe('[P114] assertHooksWork', () => {
  const { _getActiveHandles } = process as any;
  const LACKS =
    /^API gate does not work with this release of Backstage or Node \(.*\), which lacks process\._getActiveHandles\(\) or the diagnostics channel net\.server\.socket\. .*$/;
  afterEach(() => {
    (process as any)._getActiveHandles = _getActiveHandles;
    jest.restoreAllMocks();
  });

  it('finds that both hooks work, and leaves nothing behind', async () => {
    const handles = _getActiveHandles().length;
    await assertHooksWork();
    expect(connections.hasSubscribers).toBe(false);
    await until(() => _getActiveHandles().length <= handles);
  });

  it('finds that they work in a process that is busy meanwhile', async () => {
    const trial = assertHooksWork();
    // Longer than all turns of an idle process, once the server listens.
    setImmediate(() => {
      const busyUntil = Date.now() + 1_500;
      while (Date.now() < busyUntil);
    });
    await expect(trial).resolves.toBeUndefined();
  });

  it.each([
    ['no function', undefined],
    ['one that returns nothing', () => []],
  ])(
    'stops the start if the handles can not be read: %s',
    async (_, replaced) => {
      (process as any)._getActiveHandles = replaced;
      await expect(assertHooksWork()).rejects.toThrow(LACKS);
    },
  );

  it('stops the start if no message is published', async () => {
    connections.publish = () => {};
    await expect(assertHooksWork()).rejects.toThrow(LACKS);
    // Node gives a channel another method once it has subscribers.
    Reflect.deleteProperty(connections, 'publish');
    await assertHooksWork();
  });

  it('takes hooks that can not be tried for ones that do not work', async () => {
    jest.spyOn(Server.prototype, 'listen').mockImplementation(function fail(
      this: Server,
    ) {
      return this.emit('error', new Error('EACCES')) as never;
    } as never);
    await expect(assertHooksWork()).rejects.toThrow(LACKS);
  });
});
