import { createServer, IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { rawUpgrade } from '../../__tests__/__testUtils__/rawUpgrade';
import { userTokenOf } from '../../__tests__/__testUtils__/upgradeServices';
import { answerUpgrade } from './dispatchUpgrade';
import { createGateServices } from '../../__tests__/__testUtils__/createGateServices';
import { UpgradeGate } from './UpgradeGate';

const HEAD = Buffer.from('head');
const ADMITTED = {} as never;
const JANE = userTokenOf('user:default/jane');

type Admit = UpgradeGate['admit'];

/** Admits an upgrade with an `Authorization`. */
const admitAuthorized: Admit = async (req, socket) => {
  if (req.headers.authorization) {
    return ADMITTED;
  }
  answerUpgrade(socket, 401);
  return undefined;
};

/** Creates a server behind a gate that admits upgrades in its own way. */
function createGuarded(
  admit = admitAuthorized,
  replaced: Parameters<typeof createGateServices>[0] = {},
  mode: 'enforce' | 'report-only' = 'enforce',
) {
  const decidedTargets: string[] = [];
  const logged: unknown[] = [];
  const gateServices = createGateServices(replaced);
  gateServices.policy = { mode };
  gateServices.tokens.set(JANE, {
    type: 'user',
    userEntityRef: 'user:default/jane',
  });
  const { plugins, services } = gateServices;
  const { decisions, logger } = services;
  jest.spyOn(logger, 'error').mockImplementation((...line) => {
    logged.push(line);
  });
  const guard = new UpgradeGate(services);
  jest.spyOn(guard, 'admit').mockImplementation((req, socket, target) => {
    decidedTargets.push(target.originalUrl);
    return admit(req, socket, target);
  });
  const server = createServer();
  guard.guard(server);
  /** A request that the gate passes: from here on, plugins run their code. */
  const handOn = (reason?: string, to = server) => {
    const req = { socket: { server: to } } as never;
    if (reason) {
      decisions.set(req, { reason } as never);
    }
    guard.guardServerOf(req, true);
  };
  return { decidedTargets, guard, handOn, logged, plugins, server };
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

const settled = () => new Promise(resolve => setImmediate(resolve));

/** Creates a server with one listener behind a guard. */
function createListening(admit: Admit) {
  const guarded = createGuarded(admit);
  const heard: unknown[][] = [];
  guarded.server.on('upgrade', (...args) => {
    heard.push(args);
  });
  const socket = new PassThrough();
  const upgrade = () =>
    guarded.server.emit('upgrade', { url: '/api/x' }, socket, HEAD);
  return { ...guarded, heard, socket, upgrade };
}

describe('UpgradeGate and the listeners of a server', () => {
  it('has upgrades below /api judged before any listener hears of them', async () => {
    const { decidedTargets, server } = createGuarded();
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
    expect(decidedTargets).toEqual(['/api/x', '/api/../x', '/api/x']);
  });

  it('is put in front of a server once', async () => {
    const { decidedTargets, guard, server } = createGuarded();
    guard.guard(server);
    server.on('upgrade', answering(403));
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(403);
    expect(decidedTargets).toHaveLength(1);
  });

  it('is put in front of a server by the first request that goes on at the latest', async () => {
    const { decidedTargets, handOn } = createGuarded();
    const server = createServer();
    handOn('bearer', server);
    server.on('upgrade', answering(403));
    expect(await statusAt(server, '/api/x')).toBe(401);
    expect(await statusAt(server, '/x')).toBe(404);
    expect(decidedTargets).toEqual(['/api/x']);
  });

  it('judges what a listener rewrites and emits again', async () => {
    const { decidedTargets, server } = createGuarded();
    server.on('upgrade', (req, socket, head) => {
      if (req.url === '/x') {
        req.url = '/api/secret';
        server.emit('upgrade', req, socket, head);
      } else {
        answerUpgrade(socket, 403);
      }
    });
    expect(await statusAt(server, '/x')).toBe(401);
    expect(decidedTargets).toEqual(['/api/secret']);
  });

  it('[P28] keeps upgrades outside /api from listeners that plugins have added', async () => {
    const { guard, handOn, server } = createGuarded();
    // Keys and signing in are not a plugin's own requests.
    handOn('built-in-public');
    const own = answering(403);
    server.on('upgrade', own);
    handOn('bearer');
    let heard = 0;
    server.on('upgrade', (_req, socket) => {
      heard += 1;
      answerUpgrade(socket, 400);
    });
    // Nothing later makes a plugin's listener the server's own: no request, no upgrade that passes, no second call.
    handOn('bearer');
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

  it('[P96] keeps nothing outside /api from anybody in report-only', async () => {
    const { handOn, server } = createGuarded(
      async () => ADMITTED,
      {},
      'report-only',
    );
    handOn('bearer');
    server.on('upgrade', answering(400));
    expect(await statusAt(server, '/x', `Authorization: Bearer ${JANE}`)).toBe(
      400,
    );
    expect(await statusAt(server, '/api/x')).toBe(400);
  });

  it('counts a listener as a plugin’s after an upgrade has passed too', async () => {
    const { server } = createGuarded();
    let heard = 0;
    server.on('upgrade', answering(403));
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(403);
    server.on('upgrade', () => {
      heard += 1;
    });
    expect(await statusAt(server, '/x')).toBe(403);
    expect(heard).toBe(0);
  });

  it('refuses each upgrade below /api where plugins have none', async () => {
    const { decidedTargets, plugins, server } = createGuarded();
    Object.assign(plugins, { haveUpgrades: false });
    server.on('upgrade', answering(403));
    for (const target of ['/api/x', '/API/x', '/x/../api/x']) {
      expect(await statusAt(server, target, AUTHORIZED)).toBe(404);
    }
    expect(await statusAt(server, '/x')).toBe(403);
    expect(decidedTargets).toEqual([]);
  });

  it('counts a listener as a plugin’s after a request without a decision', async () => {
    const { handOn, server } = createGuarded();
    handOn();
    server.on('upgrade', answering(400));
    expect(await statusAt(server, '/x')).toBe(404);
  });

  it('needs no server for a request that is injected', () => {
    const { guard } = createGuarded();
    expect(() =>
      guard.guardServerOf({ socket: {} } as never, true),
    ).not.toThrow();
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
    const { logged, socket, upgrade } = createListening(() =>
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
    const { heard, socket, upgrade } = createListening(async () => ADMITTED);
    expect(upgrade()).toBe(true);
    expect(heard).toEqual([]);
    await settled();
    expect(heard).toEqual([[{ url: '/api/x' }, socket, HEAD]]);
  });

  it('refuses the upgrades that wait for a decision when it is stopped, whatever that is', async () => {
    let decide!: (admitted: typeof ADMITTED) => void;
    const { guard, heard, socket, upgrade } = createListening(
      () =>
        new Promise(resolve => {
          decide = resolve;
        }),
    );
    upgrade();
    guard.stop();
    expect(String(socket.read())).toMatch(/^HTTP\/1\.1 503 /);
    decide(ADMITTED);
    await settled();
    expect(heard).toEqual([]);
  });

  it('passes no upgrade on whose client has gone', async () => {
    const { heard, socket, upgrade } = createListening(async () => {
      socket.destroy();
      return ADMITTED;
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
    const { decidedTargets, server } = createGuarded();
    server.emit('upgrade', { headers: {} }, new PassThrough(), HEAD);
    expect(decidedTargets).toEqual(['']);
  });

  it('ends no process by an error of a socket', async () => {
    const { handOn, server } = createGuarded();
    handOn('bearer');
    server.on('upgrade', () => {});
    for (const url of ['/x', '/api/x']) {
      const socket = new PassThrough();
      server.emit('upgrade', { url, headers: {} }, socket, HEAD);
      expect(() => socket.emit('error', new Error('reset'))).not.toThrow();
    }
  });

  it('refuses all upgrades below /api once it is stopped', async () => {
    const { decidedTargets, guard, server } = createGuarded();
    server.on('upgrade', answering(403));
    guard.stop();
    expect(await statusAt(server, '/api/x', AUTHORIZED)).toBe(503);
    expect(await statusAt(server, '/x')).toBe(403);
    expect(decidedTargets).toEqual([]);
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
