import { Server } from 'node:http';
import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { RootHttpRouterService } from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import express, { ErrorRequestHandler } from 'express';
import { Refusal, RefusalReason, REFUSALS } from '../gate/Refusal';
import type { UpgradeGate } from '../gate/upgrades/UpgradeGate';
import { serve } from '../__tests__/__testUtils__/serve';
import { watchServers } from './findServers';
import { createErrorAnswer, mountGate } from './mountGate';

const logged: unknown[][] = [];
const logger = {
  child: () => logger,
  error: (...args: unknown[]) => logged.push(args),
} as any;
const config = new ConfigReader({});

const REASONS = Object.keys(REFUSALS) as RefusalReason[];

describe('mountGate', () => {
  let stop = () => {};
  afterEach(() => stop());

  /** Serves an app behind a gate that decides as its argument does, and that records which plugins it is asked for. */
  async function serveBehind(decide: (plugin: string) => Error | undefined) {
    const judged: string[] = [];
    const upgradeGate = {
      guardServerOf: () => {},
      guard: jest.fn(),
      stop: jest.fn(),
    };
    const app = express();
    stop = mountGate({
      gate: {
        config,
        logger,
        handler: (req, _res, next) => {
          judged.push(req.params.gatedPluginId);
          next(decide(req.params.gatedPluginId));
        },
        upgradeGate: upgradeGate as unknown as UpgradeGate,
      },
      rootHttpRouter: app as unknown as RootHttpRouterService,
      watch: await watchServers(),
    });
    app.use((_req, res) => res.send('behind'));
    const { url } = await serve(app);
    const get = async (path: string, init?: RequestInit) => {
      const response = await fetch(`${url}${path}`, init);
      return [response.status, await response.text()];
    };
    return { app, get, judged, upgradeGate };
  }

  it('puts the gate in front of every plugin, and of nothing else', async () => {
    const { get, judged } = await serveBehind(plugin =>
      plugin === 'open'
        ? undefined
        : Refusal.because('missing-credentials').error,
    );
    expect(await get('/healthcheck')).toEqual([200, 'behind']);
    expect(await get('/api/open/x')).toEqual([200, 'behind']);
    expect(await get('/api/hello/x')).toEqual([
      401,
      expect.stringContaining('Missing credentials'),
    ]);
    expect(judged).toEqual(['open', 'hello']);
  });

  it('judges the cookie endpoint of the plugin at the root, which is app', async () => {
    const { get, judged } = await serveBehind(
      () => Refusal.because('missing-credentials').error,
    );
    const [status] = await get('/.backstage/auth/v1/cookie');
    expect([status, judged]).toEqual([401, ['app']]);
  });

  it.each([
    ['GET', '/api/auth/api-gate', 'document', true],
    ['GET', '/api/auth/api-gate/?request=x', 'document', true],
    ['GET', '/api/auth/api-gate/', 'empty', false],
    ['POST', '/api/auth/api-gate/', 'document', false],
    ['GET', '/api/auth/api-gate/v1/policy', 'document', false],
    ['GET', '/api/hello/api-gate/', 'document', false],
  ])(
    'answers %s %s for the destination %s by a page: %j',
    async (method, path, destination, isPage) => {
      const { get } = await serveBehind(
        () => Refusal.because('restricted').error,
      );
      const headers = { 'Sec-Fetch-Dest': destination };
      const [status, body] = await get(path, { method, headers });
      expect([status, String(body).startsWith('<!doctype html>')]).toEqual([
        403,
        isPage,
      ]);
    },
  );

  it('leaves an unexpected error to Backstage’s error middleware', async () => {
    logged.length = 0;
    const error = new Error('unexpected');
    const { get } = await serveBehind(() => error);
    const [status] = await get('/api/hello/x');
    expect(status).toBe(500);
    expect(logged).toEqual([['Request failed with status 500', error]]);
  });

  it('guards the upgrades of the server until it is stopped', async () => {
    const { app, get, upgradeGate } = await serveBehind(() => undefined);
    await get('/');
    expect(upgradeGate.guard.mock.calls).toEqual([[expect.any(Server)]]);
    expect(upgradeGate.stop).not.toHaveBeenCalled();
    stop();
    expect(upgradeGate.stop).toHaveBeenCalledTimes(1);
    const { url } = await serve(app);
    await fetch(url);
    expect(upgradeGate.guard).toHaveBeenCalledTimes(1);
  });
});

describe('createErrorAnswer', () => {
  let error: Error;
  let hasBegun: boolean;

  async function answerOf(
    answerError: ErrorRequestHandler,
    method: string,
    target: string,
  ) {
    const app = express();
    app.use('/api/hello', (req, res, next) => {
      if (hasBegun) {
        res.write('begun');
      }
      answerError(error, req, res, next);
    });
    const { url, stop } = await serve(app);
    const response = await fetch(`${url}${target}`, { method });
    const { etag, date, ...headers } = Object.fromEntries(response.headers);
    const body = await response.text().catch(() => 'cut off');
    stop();
    return { status: response.status, headers, etag, body };
  }

  beforeEach(() => {
    logged.length = 0;
    hasBegun = false;
  });

  it.each(REASONS)(
    'answers %s as Backstage’s error middleware does',
    async reason => {
      error = Refusal.because(reason).error;
      for (const [method, target] of [
        ['GET', '/api/hello/x?q="ä"'],
        ['HEAD', '/api/hello'],
        ['POST', '/api/hello/%22%0A'],
      ]) {
        const own = createErrorAnswer({ config, logger });
        const answer = await answerOf(own, method, target);
        const ownLog = logged.splice(0);
        const stock = MiddlewareFactory.create({ config, logger }).error();
        const expected = await answerOf(stock, method, target);
        expect(answer).toEqual({ ...expected, etag: undefined });
        expect(answer.status).toBe(REFUSALS[reason].status);
        // Backstage's middleware logs each 503. The gate has logged it already, within its limit.
        expect(ownLog).toEqual([]);
        logged.length = 0;
      }
    },
  );

  it('leaves an error that is no refusal to Backstage’s error middleware, which logs it', async () => {
    error = new Error('no refusal');
    const own = createErrorAnswer({ config, logger });
    const { status } = await answerOf(own, 'GET', '/api/hello');
    expect(status).toBe(500);
    expect(logged).toEqual([['Request failed with status 500', error]]);
  });

  it('answers behind a middleware whose `writeHead` returns nothing', async () => {
    error = Refusal.because('missing-credentials').error;
    const behind: ErrorRequestHandler = (refused, req, res, next) => {
      const writeHead = res.writeHead.bind(res) as (...args: any[]) => unknown;
      res.writeHead = (...args: any[]) => void writeHead(...args) as never;
      createErrorAnswer({ config, logger })(refused, req, res, next);
    };
    const { body } = await answerOf(behind, 'GET', '/api/hello');
    expect(body).toContain('Missing credentials');
  });

  it('ends an answer that has begun', async () => {
    error = Refusal.because('invalid-token').error;
    hasBegun = true;
    const own = createErrorAnswer({ config, logger });
    const { status, body } = await answerOf(own, 'GET', '/api/hello');
    expect([status, body]).toEqual([200, 'cut off']);
  });
});
