import { channel } from 'node:diagnostics_channel';
import { createServer, Server } from 'node:http';
import { ConfigReader } from '@backstage/config';
import express, { RequestHandler, Router } from 'express';
import { findServers } from './findServers';

const connections = channel('net.server.socket');
const mount: RequestHandler = (_req, _res, next) => next();

/** Announces a new connection to a server as Node does. */
const connectTo = (server: object | undefined) =>
  connections.publish({ socket: { server } });

let stop = () => {};
const start = () => {
  const found: Server[] = [];
  stop = findServers({
    config: new ConfigReader({}),
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
