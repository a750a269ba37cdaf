import { once } from 'node:events';
import {
  createServer,
  IncomingMessage,
  RequestListener,
  ServerResponse,
} from 'node:http';
import { connect } from 'node:net';
import express, { RequestHandler } from 'express';
import { latch } from '../__tests__/__testUtils__/latch';
import { listen } from '../__tests__/__testUtils__/serve';
import { RequestGuard } from './RequestGuard';

const app: RequestListener = (_req, res) => res.end('app');

/** Starts a guarded server of the app. Its front refuses all but `/open`, unless the test replaces it. */
async function start(
  front: RequestHandler = (req, res, next) =>
    req.path === '/open' ? next('router') : res.status(401).end('front'),
) {
  const logged: unknown[] = [];
  const record = (...line: unknown[]) => logged.push(line);
  const createFront = jest.fn(() => express().use(front));
  const guard = new RequestGuard({
    logger: { error: record } as never,
    isApp: listener => listener === app,
    createFront,
  });
  const server = createServer(app);
  guard.guard(server);
  const { port, url } = await listen(server);
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    return [response.status, await response.text()];
  };
  return { createFront, get, guard, logged, port, server };
}

describe('RequestGuard', () => {
  it('[P99] does nothing about the requests of a server where the app alone listens', async () => {
    const { createFront, get } = await start();
    expect(await get('/x')).toEqual([200, 'app']);
    expect(createFront).not.toHaveBeenCalled();
  });

  it('decides first while anybody else listens', async () => {
    const { createFront, get, guard, server } = await start();
    guard.guard(server);
    const other = jest.fn();
    server.prependListener('request', other);
    expect(await get('/x')).toEqual([401, 'front']);
    expect(other).not.toHaveBeenCalled();
    expect(await get('/open')).toEqual([200, 'app']);
    expect(other).toHaveBeenCalledTimes(1);
    server.off('request', other);
    expect(await get('/x')).toEqual([200, 'app']);
    expect(createFront).toHaveBeenCalledTimes(1);
  });

  it('guards the server of a request, if that has one', async () => {
    const { get, guard, server } = await start();
    expect(() => guard.guardServerOf({ socket: {} } as never)).not.toThrow();
    const further = createServer((_req, res) => res.end('other'));
    const { url } = await listen(further);
    guard.guardServerOf({ socket: { server: further } } as never);
    expect((await fetch(`${url}/x`)).status).toBe(401);
    expect(server).not.toBe(further);
    expect(await get('/x')).toEqual([200, 'app']);
  });

  it('hands listeners the objects of Node', async () => {
    const { get, server } = await start();
    const seen: unknown[] = [];
    server.prependListener('request', (req: any, res) => {
      seen.push(Object.getPrototypeOf(req), Object.getPrototypeOf(res));
      seen.push(req.originalUrl, req.query, req.res, req.url);
    });
    await get('/open');
    expect(seen).toEqual([
      IncomingMessage.prototype,
      ServerResponse.prototype,
      ...[undefined, undefined, undefined, '/open'],
    ]);
  });

  it('leaves other events, and their result, as they are', async () => {
    const { createFront, server } = await start();
    const other = jest.fn();
    server.on('test', other);
    expect(server.emit('test', 1, 2)).toBe(true);
    expect(server.emit('nobody')).toBe(false);
    expect(other).toHaveBeenCalledWith(1, 2);
    expect(createFront).not.toHaveBeenCalled();
  });

  it('has a request decided within the method that an instrumentation wraps', async () => {
    const { get, server } = await start();
    server.on('request', () => {});
    const prototype = Object.getPrototypeOf(server);
    const events: string[] = [];
    const { emit } = prototype;
    prototype.emit = function wrapped(event: string, ...args: unknown[]) {
      events.push(event);
      return Reflect.apply(emit, this, [event, ...args]);
    };
    await get('/x');
    await get('/open');
    prototype.emit = emit;
    expect(events.filter(event => event === 'request')).toHaveLength(2);
  });

  it('passes no request on whose client has gone', async () => {
    const decided = latch();
    const { port, server } = await start(async (req, _res, next) => {
      await once(req.socket, 'close');
      next('router');
      setImmediate(decided.open);
    });
    const other = jest.fn();
    server.on('request', other);
    const socket = connect(port, 'localhost', () => {
      socket.write('GET /open HTTP/1.1\r\nHost: x\r\n\r\n');
      setTimeout(() => socket.destroy(), 20);
    });
    await decided.opened;
    expect(other).not.toHaveBeenCalled();
  });

  it('[P98] refuses each request if nothing can decide about it', async () => {
    const { createFront, get, logged, server } = await start();
    const other = jest.fn();
    server.on('request', other);
    createFront.mockImplementation(() => {
      throw new TypeError('secret');
    });
    expect(await get('/open')).toEqual([503, '']);
    expect(JSON.stringify(logged)).toContain('"errorType":"TypeError"');
    expect(JSON.stringify(logged)).not.toContain('secret');
    expect(other).not.toHaveBeenCalled();
  });

  it('[P98] closes the connection after an error in the middle of an answer', async () => {
    const { get, server } = await start((_req, res, next) => {
      res.write('begun');
      next(new Error('failed'));
    });
    const other = jest.fn();
    server.on('request', other);
    await expect(get('/open')).rejects.toThrow();
    expect(other).not.toHaveBeenCalled();
  });
});
