import { once } from 'node:events';
import { channel } from 'node:diagnostics_channel';
import { createServer, Server } from 'node:http';
import { AddressInfo, connect } from 'node:net';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { until } from '../__tests__/__testUtils__/until';
import { findServers, ServerWatch, watchServers } from './findServers';

const connections = channel('net.server.socket');

/** Announces a new connection to a server as Node does. */
const announce = (server: object | undefined) =>
  connections.publish({ socket: { server } });

const app = () => {};
const LACKS =
  /^API gate does not work with this release of Backstage or Node \(.*\), which lacks the diagnostics channel net\.server\.socket\. It works with .* Update .*$/;

let watch: ServerWatch;
beforeEach(async () => {
  watch = await watchServers();
});
afterEach(() => {
  watch.stop();
  jest.restoreAllMocks();
});

function follow(config: JsonObject = {}) {
  const found: Server[] = [];
  findServers({
    config: new ConfigReader(config),
    watch,
    isApp: listener => listener === app,
    onFound: server => found.push(server),
  });
  return found;
}

describe('findServers', () => {
  it('finds each server of the app by its first connection', () => {
    const found = follow();
    const servers = [app, app].map(each => createServer(each));
    for (const server of [...servers, ...servers]) {
      announce(server);
    }
    expect(found).toEqual(servers);
  });

  it('[P11] finds a server by a connection from before the gate is mounted, which stays the only one', async () => {
    const server = createServer(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    await once(server, 'connection');
    const found = follow();
    socket.destroy();
    server.close();
    expect(found).toEqual([server]);
  });

  it('finds the server at the port of the configuration, whatever listens there', async () => {
    const servers = [0, 1].map(() =>
      createServer((_req, res) => res.end()).listen(0, '127.0.0.1'),
    );
    await Promise.all(servers.map(server => once(server, 'listening')));
    const { port } = servers[1].address() as AddressInfo;
    const found = follow({ backend: { listen: { host: '127.0.0.1', port } } });
    servers.forEach(announce);
    servers.forEach(server => server.close());
    expect(found).toEqual([servers[1]]);
  });

  it('finds a server that has other listeners beside the app', () => {
    const found = follow();
    const server = createServer(() => {}).on('request', app);
    announce(server);
    expect(found).toEqual([server]);
  });

  it('leaves other servers alone', () => {
    const found = follow();
    announce(createServer(() => {}));
    announce(undefined);
    expect(found).toEqual([]);
  });

  it('searches a server once, when it has a listener for requests', () => {
    const found = follow();
    const server = createServer();
    announce(server);
    server.on('request', app);
    const searched = jest.spyOn(server, 'listeners');
    for (let i = 0; i < 3; i += 1) {
      announce(server);
    }
    expect(found).toEqual([server]);
    expect(searched).toHaveBeenCalledTimes(1);
  });
});

describe('[P114] watchServers', () => {
  const { _getActiveHandles } = process as any;

  /** Returns how many watches there are. Backends of other files in this process may have left theirs, since their start ended. */
  const countWatches = () => (connections as any)._subscribers?.length ?? 0;

  it('leaves nothing behind once it is stopped', async () => {
    const [handles, watches] = [_getActiveHandles().length, countWatches()];
    const further = await watchServers();
    expect(countWatches()).toBe(watches + 1);
    further.stop();
    expect(countWatches()).toBe(watches);
    await until(() => _getActiveHandles().length <= handles);
  });

  it('starts in a process that is busy meanwhile', async () => {
    const started = watchServers();
    // Longer than all turns of an idle process, once the server listens.
    setImmediate(() => {
      const busyUntil = Date.now() + 1_500;
      while (Date.now() < busyUntil);
    });
    expect(await started).toEqual(expect.anything());
    (await started).stop();
  });

  it('stops the start if Node publishes no connection', async () => {
    const watches = countWatches();
    connections.publish = () => {};
    await expect(watchServers()).rejects.toThrow(LACKS);
    // Node gives a channel another method once it has subscribers.
    Reflect.deleteProperty(connections, 'publish');
    expect(countWatches()).toBe(watches);
  });

  it('stops the start if no connection can be tried', async () => {
    jest.spyOn(Server.prototype, 'listen').mockImplementation(function fail(
      this: Server,
    ) {
      return this.emit('error', new Error('EACCES')) as never;
    } as never);
    await expect(watchServers()).rejects.toThrow(LACKS);
  });
});
