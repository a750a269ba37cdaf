import { createServer, RequestListener, Server } from 'node:http';
import express, { RequestHandler, Router } from 'express';
import { rawRequest } from '../__tests__/__testUtils__/rawRequest';
import { listen } from '../__tests__/__testUtils__/serve';
import { RequestGuard } from './RequestGuard';

const mount: RequestHandler = (_req, res) => res.status(401).end('gate');

const handled: unknown[] = [];
const createApp = () =>
  express()
    .use((req, _res, next) => {
      handled.push(req.url);
      next();
    })
    .use(Router().use('/api/:gatedPluginId', mount))
    .use((req, res) => res.end(`app ${req.url}`));

/** Starts a guarded server whose listener is made of the app. */
async function start(
  listenerOf: (app: RequestListener) => RequestListener = app => app,
) {
  const logged: unknown[][] = [];
  const record =
    (level: string) =>
    (...line: unknown[]) =>
      logged.push([level, ...line]);
  const logger = { info: record('info'), warn: record('warn') };
  const guard = new RequestGuard(mount, logger as never);
  const app = createApp();
  const server = createServer(listenerOf(app));
  guard.guard(server);
  const { port } = await listen(server);
  const get = async (target: string, ...headerLines: string[]) => {
    const { body, status } = await rawRequest(port, target, { headerLines });
    return status === 503 ? 503 : [status, body];
  };
  return { app, get, guard, logged, server };
}

const takesAll = jest.fn<void, Parameters<RequestListener>>((_req, res) => {
  if (!res.writableEnded) {
    res.end('other');
  }
});
beforeEach(() => takesAll.mockClear());

const warnings = (logged: unknown[][]) =>
  logged.filter(([level]) => level === 'warn').map(([, line]) => line);

describe('RequestGuard', () => {
  it('[P99] does nothing about the requests of a server where the app alone listens', async () => {
    const { get, logged } = await start();
    expect(await get('/api/x')).toEqual([401, 'gate']);
    expect(await get('/x')).toEqual([200, 'app /x']);
    expect(logged).toEqual([]);
  });

  it.each<[string, (server: Server) => unknown]>([
    ['before', server => server.prependListener('request', takesAll)],
    ['after', server => server.on('request', takesAll)],
  ])(
    '[P98] keeps what is below /api from a listener that is added %s that of the app',
    async (_, add) => {
      const { get, guard, logged, server } = await start();
      guard.guard(server);
      add(server);
      for (const target of [
        '/api/x',
        '/API/x',
        '//api/x',
        '/%61pi/x',
        '/x/../api/x',
        'http://localhost/api/x',
        '/api#x',
        '/api',
      ]) {
        expect(await get(target)).not.toEqual([200, 'other']);
      }
      expect(await get('/api/x')).toEqual([401, 'gate']);
      expect(takesAll).not.toHaveBeenCalled();
      await get('/x');
      expect(takesAll).toHaveBeenCalledTimes(1);
      expect(warnings(logged)).toEqual([
        expect.stringMatching(
          /^API gate: a listener for 'request' beside the app of this backend gets nothing below \/api, .* as socket\.io does by default, .*$/,
        ),
      ]);
      server.off('request', takesAll);
      expect(await get('/api/x')).toEqual([401, 'gate']);
    },
  );

  it.each([
    ['checkContinue', 'Expect: 100-continue'],
    ['checkExpectation', 'Expect: something'],
  ])('[P98] has the app answer in place of %s', async (event, line) => {
    const { get, logged, server } = await start();
    server.on(event, takesAll);
    expect(String(await get('/api/x', line))).toContain('gate');
    expect(takesAll).not.toHaveBeenCalled();
    expect(warnings(logged)).toEqual([
      expect.stringContaining(`a listener for '${event}' beside the app`),
    ]);
    await get('/x', line);
    expect(takesAll).toHaveBeenCalledTimes(1);
  });

  const hands =
    (app: RequestListener): RequestListener =>
    (req, res) =>
      req.url!.includes('other') ? takesAll(req, res) : app(req, res);

  it.each<[string, (app: RequestListener) => RequestListener]>([
    ['one', hands],
    ['two, one behind the other', app => hands(hands(app))],
    ['an app of Express', app => hands(express().use(app))],
  ])(
    '[P98] finds the app behind a listener that takes its place: %s',
    async (_, listenerOf) => {
      const { get, logged } = await start(listenerOf);
      expect(await get('/api/other')).toEqual([401, 'gate']);
      expect(await get('/api/x')).toEqual([401, 'gate']);
      expect(takesAll).not.toHaveBeenCalled();
      expect(await get('/other')).toEqual([200, 'other']);
      expect(await get('/x')).toEqual([200, 'app /x']);
      expect(warnings(logged)).toHaveLength(1);
    },
  );

  it('runs no handler of the app to find it', async () => {
    handled.length = 0;
    const { get } = await start(hands);
    await get('/api/x');
    await new Promise(setImmediate);
    expect(handled).toEqual(['/api/x']);
  });

  it('[P98] answers 503 until it has found the app', async () => {
    const { get, logged } = await start(app => async (req, res) => {
      await new Promise(setImmediate);
      hands(app)(req, res);
    });
    expect(await get('/api/other')).toBe(503);
    expect(JSON.stringify(logged)).toContain('"reason":"starting"');
    expect(await get('/api/other')).toEqual([401, 'gate']);
    expect(takesAll).not.toHaveBeenCalled();
  });

  it.each<[string, (app: RequestListener) => RequestListener]>([
    ['answers everything', () => takesAll],
    ['leads to another app', () => hands(express().use(takesAll as never))],
    [
      'fails',
      () => () => {
        throw new Error('not thought of');
      },
    ],
  ])(
    '[P98] answers 503 if a listener in the place of the app %s',
    async (_, listenerOf) => {
      const { get } = await start(listenerOf);
      expect(await get('/api/x')).toBe(503);
      expect(await get('/api/x')).toBe(503);
    },
  );

  it('guards the server of a request, if that has one, and knows the app by it', async () => {
    const { app, get, guard } = await start();
    expect(() => guard.guardServerOf({ socket: {} } as never)).not.toThrow();
    const further = createServer(takesAll);
    const { port } = await listen(further);
    guard.guardServerOf({ app, socket: { server: further } } as never);
    expect((await rawRequest(port, '/api/x')).status).toBe(503);
    further.on('request', app);
    expect((await rawRequest(port, '/api/x')).body).toBe('gate');
    expect(await get('/api/x')).toEqual([401, 'gate']);
  });

  it('searches a router that holds itself, or what is no handler, to its end', async () => {
    const { guard } = await start();
    const circular = Router();
    circular.use(circular);
    const searched = [{ handle: circular }, {}, { handle: mount }].map(layer =>
      Object.assign(() => {}, { stack: [layer, { handle: mount }] }),
    );
    expect(searched.map(guard.isApp)).toEqual([true, true, true]);
    expect(guard.isApp(express().use(circular))).toBe(false);
    expect(guard.isApp(() => {})).toBe(false);
  });

  it('leaves other events, and their result, as they are', async () => {
    const { server } = await start();
    const other = jest.fn();
    server.on('test', other);
    expect(server.emit('test', 1, 2)).toBe(true);
    expect(server.emit('nobody')).toBe(false);
    expect(other).toHaveBeenCalledWith(1, 2);
  });

  it('hands a request to the app within the method that an instrumentation wraps', async () => {
    const { get, server } = await start();
    server.on('request', takesAll);
    const prototype = Object.getPrototypeOf(server);
    const events: string[] = [];
    const { emit } = prototype;
    prototype.emit = function wrapped(event: string, ...args: unknown[]) {
      events.push(event);
      return Reflect.apply(emit, this, [event, ...args]);
    };
    await get('/api/x');
    prototype.emit = emit;
    expect(events.filter(event => event === 'request')).toHaveLength(1);
  });
});
