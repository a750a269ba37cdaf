import { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:https';
import { json } from 'node:stream/consumers';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import proxyPlugin from '@backstage/plugin-proxy-backend';
import type { JsonObject } from '@backstage/types';
import cookieParser from 'cookie-parser';
import express, { Request, Response, Router } from 'express';
import { WebSocketServer } from 'ws';
import { startBackendProcess } from '../__testUtils__/backendProcess';
import { staticToken } from '../__testUtils__/externalAccess';
import {
  haveSameHiddenClass,
  isFasterServerNeeded,
  isReplacingCostly,
} from '../__testUtils__/hiddenClass';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie, JSON_TYPE } from '../__testUtils__/requestParts';
import { serve } from '../__testUtils__/serve';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { comparable } from '../__testUtils__/startTwin';
import { until } from '../__testUtils__/until';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

const backends = signedBackends();
afterEach(backends.stopAll);

const OTHER_ISSUER = 'https://backstage.example.com/api/auth';
const IN_EFFECT = 'auth.apiGate.fasterServer is in effect';
const NO_EFFECT =
  'auth.apiGate.fasterServer has no effect: the server has several listeners for requests';

let mockLoaded = false;
jest.mock('../../backstage/presetPrototypes', () => {
  mockLoaded = true;
  return jest.requireActual('../../backstage/presetPrototypes');
});

/** Returns the lines of a backend's log about the setting. */
const linesOf = ({ logged }: SignedBackend) =>
  logged('auth.apiGate.fasterServer').map(({ message }) => message);

/** Starts a backend without the setting, and one with it. */
const startBoth = (optionsOf: () => SignedBackendOptions) =>
  Promise.all(
    [false, true].map(fasterServer => {
      const apiGate = { issuers: [OTHER_ISSUER], fasterServer };
      return backends.start({ ...optionsOf(), apiGate });
    }),
  );

/** Sends a request to each backend, and expects answers that differ in nothing but what differs between two moments. */
async function expectSame(
  both: SignedBackend[],
  ...request: Parameters<SignedBackend['request']>
) {
  const [without, withIt] = await Promise.all(
    both.map(async backend =>
      comparable(await backend.request(...request), String(backend.port)),
    ),
  );
  expect(withIt).toBe(without);
  return withIt;
}

/** The properties that Express's prototypes have for a request, and those that handlers and middleware add. */
const describeRequest = (req: Request) => ({
  ...{ baseUrl: req.baseUrl, originalUrl: req.originalUrl, path: req.path },
  ...{ protocol: req.protocol, secure: req.secure, hostname: req.hostname },
  ...{ fresh: req.fresh, xhr: req.xhr, subdomains: req.subdomains },
  ...{ query: req.query, params: req.params, cookies: req.cookies },
  ...{ accepts: req.accepts('json', 'html'), range: req.range(10) ?? null },
  ...{ host: req.get('host')?.replace(/:\d+/, ''), is: req.is('json') },
  ...{
    body: req.body,
    hasUser: 'user' in req,
    isOfApp: req.app === req.res?.app,
  },
  ownKeys: Object.keys(req),
});

/** A router with what handlers of plugins do. */
function createHandlers() {
  const router = Router();
  const sub = express();
  sub.set('json spaces', 2);
  sub.use((req, res) => res.json(describeRequest(req)));
  router.use(cookieParser());
  router.use('/sub', sub);
  router.get('/text', (_req, res) => res.send('text'));
  router.get('/file', (_req, res) => res.sendFile(__filename));
  router.get('/large', (_req, res) => res.json(Array(5000).fill('large')));
  router.get('/redirect', (_req, res) => res.redirect('/to'));
  router.get('/cookie', (_req, res) => res.cookie('a', 'b').sendStatus(202));
  router.get('/format', (_req, res) =>
    res.format({ text: () => res.send('text'), json: () => res.json({}) }),
  );
  router.get('/stream', async (_req, res) => {
    res.type('text').vary('Accept').links({ next: '/next' });
    for (const part of ['one', 'two', 'three']) {
      res.write(part);
      await new Promise(resolve => setImmediate(resolve));
    }
    res.end();
  });
  router.get('/replaced', (_req, res) => {
    const { writeHead } = res;
    res.writeHead = (...args: any[]) => {
      res.setHeader('X-Replaced', 'true');
      return Reflect.apply(writeHead, res, args);
    };
    res.json({});
  });
  router.get('/error', () => {
    throw new Error('Failed');
  });
  router.use((req, res) => res.json(describeRequest(req)));
  return (req: Request, res: Response) =>
    router(req, res, error => error && res.status(500).json(`${error}`));
}

const odd = () => recordingPlugin('odd', { handle: createHandlers() }).feature;

it('[P93] is not loaded unless it is on, and is in effect after a restart', async () => {
  const backend = await backends.start({ apiGate: { fasterServer: false } });
  expect(await backend.statusOf('/api/auth/x')).toBe(404);
  backend.change({ apiGate: { fasterServer: true } });
  expect(await backend.statusOf('/api/auth/x')).toBe(404);
  expect(mockLoaded).toBe(false);
  expect(linesOf(backend)).toEqual([
    'auth.apiGate.fasterServer has changed, and takes effect after a restart',
  ]);
});

const describeWhereNotNeeded = isFasterServerNeeded ? describe.skip : describe;
describeWhereNotNeeded('fasterServer on a Node that does not need it', () => {
  it('[P93] does nothing where Node does not need it, and says so', async () => {
    const both = await startBoth(() => ({ features: [odd()] }));
    const user = bearer(await both[0].sign({ iss: OTHER_ISSUER }));
    await expectSame(both, 'GET', '/api/odd/x', [user]);
    expect(both.map(linesOf)).toEqual([
      [],
      [
        'auth.apiGate.fasterServer is not needed on Node 24 and later, and does nothing',
      ],
    ]);
  });
});

const describeWhereNeeded = isFasterServerNeeded ? describe : describe.skip;
describeWhereNeeded('fasterServer', () => {
  it('[P92] is in effect in a process of its own', async () => {
    const backend = await startBackendProcess({
      auth: { apiGate: { fasterServer: true } },
    });
    backends.add(backend);
    await until(
      async () => (await backend.statusOf('/api/hello/x')) === 401,
      30_000,
    );
    expect(await backend.waitForLogged(IN_EFFECT)).toHaveLength(1);
  });

  it('[P92] has the requests that reach a handler share their hidden class, and their responses', async () => {
    const handled: { req: Request; res: Response }[] = [];
    const both = await startBoth(() => ({
      features: [
        recordingPlugin('hello', {
          handle: (req, res) => {
            handled.push({ req, res });
            res.json({});
          },
        }).feature,
      ],
    }));
    const token = await both[0].sign({ iss: OTHER_ISSUER });
    const shared = [];
    for (const backend of both) {
      for (let i = 0; i < 20; i += 1) {
        await backend.get('/api/hello/x', bearer(token), cookie(token));
      }
      const [one, other] = handled.slice(-2);
      shared.push([
        haveSameHiddenClass(one.req, other.req),
        haveSameHiddenClass(one.res, other.res),
      ]);
    }
    expect(shared).toEqual([
      [!isReplacingCostly, !isReplacingCostly],
      [true, true],
    ]);
    expect(both.map(linesOf)).toEqual([[], [IN_EFFECT]]);
  });

  it('[P92] changes no byte of an answer, whatever the handler does', async () => {
    const both = await startBoth(() => ({ features: [odd()] }));
    const token = await both[0].sign({ iss: OTHER_ISSUER });
    const user = bearer(token);
    for (const [target, ...lines] of [
      ['/sub/x', 'X-Requested-With: XMLHttpRequest', 'Range: bytes=0-4'],
      ['/x?a=1&b[c]=2', 'Cookie: other=1; token=x', 'Accept: text/html'],
      ['/text', 'If-None-Match: W/"4-fHLyBFrUEFkFF4VckV0f2S7tWjY"'],
      ['/file', 'Range: bytes=10-20'],
      ['/file', 'Range: bytes=9999999-'],
      ['/file', 'Accept-Encoding: gzip'],
      ['/large', 'Accept-Encoding: gzip'],
      ...['/cookie', '/redirect', '/stream', '/replaced', '/error'].map(
        path => [path],
      ),
      ['/format', 'Accept: application/json'],
      ['/format', 'Accept: image/png'],
      ['/%zz'],
      ['/../x'],
    ]) {
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        await expectSame(both, method, `/api/odd${target}`, [user, ...lines]);
      }
    }
    const body = '{"a":1}';
    const echoed = await expectSame(
      both,
      'POST',
      '/api/odd/x',
      [user, JSON_TYPE, cookie(token)],
      body,
    );
    expect(echoed).toContain('"body":{"a":1},"hasUser":true,"isOfApp":true');
    expect(both.map(linesOf)).toEqual([[], [IN_EFFECT]]);
  });

  it('[P92] changes no byte of what the proxy plugin forwards', async () => {
    const received: JsonObject[] = [];
    const target = await serve((req, res) => {
      received.push({ url: req.url!, headers: req.rawHeaders });
      req.pipe(res.writeHead(201, { 'X-Any': 'of the target' }));
    });
    const both = await startBoth(() => ({
      features: [proxyPlugin],
      config: {
        proxy: {
          endpoints: {
            '/to': {
              target: target.url,
              allowedMethods: ['GET', 'POST'],
              allowedHeaders: ['x-any'],
            },
          },
        },
      },
    }));
    const user = bearer(await both[0].sign({ iss: OTHER_ISSUER }));
    const answer = await expectSame(
      both,
      'POST',
      '/api/proxy/to/x?y=z',
      [user, JSON_TYPE, 'X-Any: a'],
      '{"a":1}',
    );
    expect(answer).toMatch(
      /^HTTP\/1.1 201 [^]*X-Any: of the target[^]*{"a":1}/i,
    );
    await expectSame(both, 'GET', '/api/proxy/to/x', [user, 'X-Any: a']);
    expect(received[1]).toEqual(received[0]);
    expect(received[3]).toEqual(received[2]);
    expect(both.map(linesOf)).toEqual([[], [IN_EFFECT]]);
  });

  it("[P94] has upgrades keep Node's prototype, and WebSockets work", async () => {
    const { feature, handled } = webSocketPlugin('hello', { '/ws': undefined });
    const kept: boolean[] = [];
    const { handleUpgrade } = WebSocketServer.prototype;
    jest
      .spyOn(WebSocketServer.prototype, 'handleUpgrade')
      .mockImplementation(function record(this: WebSocketServer, ...args) {
        kept.push(Object.getPrototypeOf(args[0]) === IncomingMessage.prototype);
        return Reflect.apply(handleUpgrade, this, args);
      });
    const backend = await backends.start({
      features: [feature],
      apiGate: { fasterServer: true },
    });
    const user = bearer(await backend.sign());
    await backend.get('/api/hello/x', user);
    const upgrade = await backend.upgrade('/api/hello/ws', user);
    upgrade.destroy();
    expect([upgrade.status, upgrade.message]).toEqual([101, 'hello']);
    expect(handled).toHaveLength(1);
    expect(kept).toEqual([true]);
    expect(await backend.upgradeStatus('/api/hello/ws')).toBe(401);
    expect(linesOf(backend)).toEqual([IN_EFFECT]);
  });

  it('[P92] is in effect on https', async () => {
    const [without, withIt] = await startBoth(() => ({
      features: [odd()],
      config: {
        backend: {
          https: true,
          auth: { externalAccess: [staticToken('static-token', 'script')] },
        },
      },
    }));
    const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
    const answerOf = async ({ port }: SignedBackend) => {
      const headers = {
        Authorization: 'Bearer static-token',
        Host: 'localhost',
      };
      const path = '/api/odd/x';
      const answer = await new Promise<IncomingMessage>((resolve, reject) =>
        get({ port, path, agent, headers }, resolve).on('error', reject),
      );
      return { status: answer.statusCode, body: await json(answer) };
    };
    for (let i = 0; i < 3; i += 1) {
      const answer = await answerOf(withIt);
      expect(answer).toMatchObject({
        status: 200,
        body: { protocol: 'https' },
      });
      expect(answer).toEqual(await answerOf(without));
    }
    agent.destroy();
    expect(linesOf(withIt)).toEqual([IN_EFFECT]);
  });

  it('[P93] does nothing where an adopter has added a listener for requests, which sees what it saw before', async () => {
    const heard: boolean[] = [];
    const both = await startBoth(() => ({
      features: [
        odd(),
        rootHttpRouterServiceFactory({
          configure({ applyDefaults, server }) {
            server.prependListener('request', (req: IncomingMessage) => {
              heard.push(
                Object.getPrototypeOf(req) === IncomingMessage.prototype,
              );
            });
            applyDefaults();
          },
        }),
      ],
    }));
    await expectSame(both, 'GET', '/api/odd/x', [
      bearer(await both[0].sign({ iss: OTHER_ISSUER })),
    ]);
    expect(heard.every(Boolean)).toBe(true);
    expect(both.map(linesOf)).toEqual([[], [NO_EFFECT]]);
  });

  it('[P92] changes nothing for an app in front of the app', async () => {
    const both = await startBoth(() => ({
      features: [
        odd(),
        rootHttpRouterServiceFactory({
          configure({ app, applyDefaults }) {
            const front = express();
            front.use((req, res, next) => {
              res.locals.front = req.app === front;
              next();
            });
            app.use(front);
            app.use('/front', (_req, res) => res.json(res.locals));
            applyDefaults();
          },
        }),
      ],
    }));
    const user = bearer(await both[0].sign({ iss: OTHER_ISSUER }));
    expect(await expectSame(both, 'GET', '/front')).toContain('{"front":true}');
    await expectSame(both, 'GET', '/api/odd/x', [user]);
    expect(both.map(linesOf)).toEqual([[], [IN_EFFECT]]);
  });
});
