import { createServer, IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { rawUpgrade } from '../__testUtils__/rawUpgrade';
import { answerUpgrade } from '../http/dispatchUpgrade';
import { Decisions } from '../decision/Decision';
import { UpgradeGuard } from './UpgradeGuard';

/** A server behind a guard whose gate admits what has an `Authorization`. */
function createGuarded(isEnforced = true) {
  const judged: string[] = [];
  const logged: unknown[] = [];
  const guard = new UpgradeGuard({
    gate: {
      async admit(req, socket, target) {
        judged.push(target.originalUrl);
        if (req.headers.authorization || !isEnforced) {
          return true;
        }
        answerUpgrade(socket, 401);
        return undefined;
      },
    },
    logger: { error: (...line: unknown[]) => logged.push(line) } as never,
    source: { current: { isEnforced } } as never,
  });
  const server = createServer();
  guard.guard(server);
  return { guard, judged, logged, server };
}

let servers: Server[] = [];

afterEach(() => {
  servers.forEach(server => server.close());
  servers = [];
});

async function statusAt(
  server: Server,
  target: string,
  ...headerLines: string[]
) {
  if (!server.listening) {
    servers.push(server);
    await new Promise<void>(resolve => {
      server.listen(0, 'localhost', resolve);
    });
  }
  const { port } = server.address() as AddressInfo;
  const { status, destroy } = await rawUpgrade(port, target, headerLines);
  destroy();
  return status;
}

/** A listener that answers everything by one status, unless another listener has. */
const answering =
  (status: number) => (_req: IncomingMessage, socket: Duplex) => {
    if (!socket.writableEnded) {
      answerUpgrade(socket, status);
    }
  };

const AUTHORIZED = 'Authorization: Bearer x';

const HEAD = Buffer.from('head');
const settled = () => new Promise(resolve => setImmediate(resolve));

/** A server with one listener behind a guard, whose gate answers an upgrade of `upgrade` as `admit` does. */
function createWaiting(admit: () => Promise<unknown>) {
  const logged: unknown[] = [];
  const heard: unknown[][] = [];
  const guard = new UpgradeGuard({
    gate: { admit },
    logger: {
      error: (...line: unknown[]) => logged.push(line),
      info: () => {},
    } as never,
    source: { current: { isEnforced: true } } as never,
  });
  const server = createServer();
  guard.guard(server);
  server.on('upgrade', (...args) => {
    heard.push(args);
  });
  const socket = new PassThrough();
  const upgrade = () => server.emit('upgrade', { url: '/api/x' }, socket, HEAD);
  return { guard, heard, logged, socket, upgrade };
}

/** A request that the gate passes on: from here on, plugins run their code. */
function handOn(guard: UpgradeGuard, server: Server, reason = 'bearer') {
  const decisions = new Decisions();
  const req = { socket: { server } } as any;
  decisions.set(req, { reason } as never);
  let isPassed = false;
  guard.wrap((_req, _res, next) => next(), decisions)(req, {} as any, () => {
    isPassed = true;
  });
  expect(isPassed).toBe(true);
}

describe('UpgradeGuard', () => {
  it('has upgrades below /api judged before any listener hears of them', async () => {
    const { judged, server } = createGuarded();
    let heard = 0;
    server.on('upgrade', answering(403));
    server.prependListener('upgrade', answering(400));
    server.prependListener('upgrade', () => {
      heard += 1;
    });
    expect(await statusAt(server, '/api/x')).toBe(401);
    expect(await statusAt(server, '/api/../x')).toBe(401);
    expect(heard).toBe(0);
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(400);
    expect(await statusAt(server, '/x')).toBe(400);
    expect(judged).toEqual(['/api/x', '/api/../x', '/api/x']);
  });

  it('is put in front of a server once', async () => {
    const { guard, judged, server } = createGuarded();
    guard.guard(server);
    server.on('upgrade', answering(403));
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(403);
    expect(judged).toHaveLength(1);
  });

  it('is put in front of a server by its first request at the latest', async () => {
    const { guard, judged } = createGuarded();
    const server = createServer();
    handOn(guard, server);
    server.on('upgrade', answering(403));
    expect(await statusAt(server, '/api/x')).toBe(401);
    expect(await statusAt(server, '/x')).toBe(404);
    expect(judged).toEqual(['/api/x']);
  });

  it('judges what a listener rewrites and emits again', async () => {
    const { judged, server } = createGuarded();
    server.on('upgrade', (req, socket, head) => {
      if (req.url === '/x') {
        req.url = '/api/secret';
        server.emit('upgrade', req, socket, head);
      } else {
        answerUpgrade(socket, 403);
      }
    });
    expect(await statusAt(server, '/x')).toBe(401);
    expect(judged).toEqual(['/api/secret']);
  });

  it('[P28] keeps upgrades outside /api from listeners that plugins have added', async () => {
    const { guard, server } = createGuarded();
    // Keys and signing in are not a plugin's own requests.
    handOn(guard, server, 'built-in-public');
    const own = answering(403);
    server.on('upgrade', own);
    handOn(guard, server);
    let heard = 0;
    server.on('upgrade', (_req, socket) => {
      heard += 1;
      answerUpgrade(socket, 400);
    });
    // Nothing later makes a plugin's listener the server's own: no request, no upgrade that passes, no second call.
    handOn(guard, server);
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(403);
    guard.guard(server);
    heard = 0;
    expect(await statusAt(server, '/x')).toBe(403);
    expect(heard).toBe(0);
    server.off('upgrade', own);
    expect(await statusAt(server, '/x', AUTHORIZED)).toBe(404);
    expect(heard).toBe(0);
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(400);
  });

  it('keeps nothing from anybody in report-only', async () => {
    const { guard, server } = createGuarded(false);
    handOn(guard, server);
    server.on('upgrade', answering(400));
    expect(await statusAt(server, '/x')).toBe(400);
    expect(await statusAt(server, '/api/x')).toBe(400);
  });

  it('counts a listener as a plugin’s after an upgrade has passed too', async () => {
    const { server } = createGuarded();
    server.on('upgrade', (_req, socket) => {
      if (server.listenerCount('upgrade') === 1) {
        server.on('upgrade', answering(400));
      }
      answerUpgrade(socket, 403);
    });
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(403);
    expect(await statusAt(server, '/x')).toBe(403);
  });

  it('counts a listener as a plugin’s after a request without a decision', async () => {
    const { guard, server } = createGuarded();
    const isPassed = jest.fn();
    guard.wrap((_req, _res, next) => next(), new Decisions())(
      { socket: { server } } as any,
      {} as any,
      isPassed,
    );
    expect(isPassed).toHaveBeenCalledWith(undefined);
    server.on('upgrade', answering(400));
    expect(await statusAt(server, '/x')).toBe(404);
  });

  it('counts a listener as the server’s own after a request whose gate has failed', async () => {
    const { guard, server } = createGuarded();
    guard.wrap((_req, _res, next) => next(new Error('no')), new Decisions())(
      { socket: { server } } as any,
      {} as any,
      () => {},
    );
    server.on('upgrade', answering(403));
    expect(await statusAt(server, '/x')).toBe(403);
  });

  it('does not admit a request whose gate has failed as one that was handed on', () => {
    const { guard, server } = createGuarded();
    const passed: unknown[] = [];
    const req = { socket: { server } } as any;
    guard.wrap((_req, _res, next) => next(new Error('no')), new Decisions())(
      req,
      {} as any,
      error => passed.push(error),
    );
    expect(passed).toEqual([new Error('no')]);
    // A request that is injected without a server is judged all the same.
    guard.wrap((_req, _res, next) => next('judged'), new Decisions())(
      { socket: {} } as any,
      {} as any,
      error => passed.push(error),
    );
    expect(passed).toContain('judged');
  });

  it('closes the socket of a listener that throws, and logs the kind of error', async () => {
    const { logged, server } = createGuarded();
    server.on('upgrade', () => {
      throw new TypeError('secret');
    });
    await expect(statusAt(server, '/api/x', AUTHORIZED)).rejects.toThrow();
    expect(logged).toEqual([
      [
        'API gate: a listener for upgrades has failed',
        { errorType: 'TypeError' },
      ],
    ]);
  });

  it.each([
    ['an error', new TypeError('secret'), 'TypeError'],
    ['what is no error', 'secret', 'string'],
  ])('logs the kind of %s that a gate throws', async (_, error, errorType) => {
    const { logged, socket, upgrade } = createWaiting(() =>
      Promise.reject(error),
    );
    upgrade();
    await settled();
    expect(socket.destroyed).toBe(true);
    expect(logged).toEqual([
      ['API gate: a listener for upgrades has failed', { errorType }],
    ]);
  });

  it('passes an admitted upgrade on, with its arguments', async () => {
    const { heard, socket, upgrade } = createWaiting(async () => true);
    expect(upgrade()).toBe(true);
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual([[{ url: '/api/x' }, socket, HEAD]]);
  });

  it('refuses the upgrades that wait for a decision when it is stopped, whatever that is', async () => {
    let decide!: (isAdmitted: boolean) => void;
    const { guard, heard, socket, upgrade } = createWaiting(
      () =>
        new Promise(resolve => {
          decide = resolve;
        }),
    );
    upgrade();
    guard.stop();
    expect(String(socket.read())).toMatch(/^HTTP\/1\.1 503 /);
    decide(true);
    await settled();
    expect(heard).toEqual([]);
  });

  it('passes no upgrade on whose client has gone', async () => {
    const { heard, socket, upgrade } = createWaiting(async () => {
      socket.destroy();
      return true;
    });
    upgrade();
    await settled();
    expect(heard).toEqual([]);
  });

  it('answers no upgrade outside /api if no listener was there', () => {
    const { server } = createGuarded();
    const socket = new PassThrough();
    expect(server.emit('upgrade', { url: '/x' }, socket, HEAD)).toBe(false);
    expect(socket.read()).toBeNull();
  });

  it('decides about an upgrade without a target', () => {
    const { judged, server } = createGuarded();
    server.emit('upgrade', { headers: {} }, new PassThrough(), HEAD);
    expect(judged).toEqual(['']);
  });

  it('ends no process by an error of a socket', async () => {
    const { guard, server } = createGuarded();
    handOn(guard, server);
    server.on('upgrade', () => {});
    for (const url of ['/x', '/api/x']) {
      const socket = new PassThrough();
      server.emit('upgrade', { url, headers: {} }, socket, HEAD);
      expect(() => socket.emit('error', new Error('reset'))).not.toThrow();
    }
  });

  it('refuses all upgrades below /api once it is stopped', async () => {
    const { guard, judged, server } = createGuarded();
    server.on('upgrade', answering(403));
    guard.stop();
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(503);
    expect(await statusAt(server, '/x')).toBe(403);
    expect(judged).toEqual([]);
  });

  it('leaves other events as they are', () => {
    const { server } = createGuarded();
    const emitted: unknown[] = [];
    server.on('test', function record(this: unknown, ...args) {
      emitted.push([this, ...args]);
    });
    expect(server.emit('test', 1, 2)).toBe(true);
    expect(server.emit('nobody')).toBe(false);
    expect(emitted).toEqual([[server, 1, 2]]);
  });
});
