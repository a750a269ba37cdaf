import { createServer, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { ConfigReader } from '@backstage/config';
import express, { ErrorRequestHandler } from 'express';
import { Refusal, RefusalReason, REFUSALS } from '../decision/Refusal';
import { createErrorAnswer } from './mountGate';

const logged: unknown[][] = [];
const logger = {
  child: () => logger,
  error: (...args: unknown[]) => logged.push(args),
} as any;
const config = new ConfigReader({});

const REASONS = Object.keys(REFUSALS) as RefusalReason[];

describe('createErrorAnswer', () => {
  let error: Error;
  let hasBegun: boolean;
  let server: Server;

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
    server = createServer(app).listen(0, '127.0.0.1');
    await new Promise(resolve => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}${target}`, {
      method,
    });
    const { etag, date, ...headers } = Object.fromEntries(response.headers);
    const body = await response.text().catch(() => 'cut off');
    return { status: response.status, headers, etag, body };
  }

  beforeEach(() => {
    logged.length = 0;
    hasBegun = false;
  });
  afterEach(() => new Promise(resolve => server.close(resolve)));

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
        server.close();
        const stock = MiddlewareFactory.create({ config, logger }).error({
          showStackTraces: false,
        });
        const expected = await answerOf(stock, method, target);
        expect(answer).toEqual({ ...expected, etag: undefined });
        expect(answer.status).toBe(REFUSALS[reason].status);
        // Backstage's middleware logs each 503. The gate has logged it already, within its limit.
        expect(ownLog).toEqual([]);
        logged.length = 0;
        server.close();
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
