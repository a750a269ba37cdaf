import { createServer, RequestListener, Server } from 'node:http';
import { exchangeBytes } from '../__testUtils__/exchangeBytes';
import { exportMetrics } from '../__testUtils__/exportMetrics';
import { freePort } from '../__testUtils__/freePort';
import { observeBackend } from '../__testUtils__/observeBackend';
import { rawRequest } from '../__testUtils__/rawRequest';
import { openPlugin, recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  bearer,
  cookie,
  forge,
  from,
  SAME_ORIGIN,
} from '../__testUtils__/requestParts';
import { rootRouterWith } from '../__testUtils__/rootHandler';
import { listen } from '../__testUtils__/serve';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';

const EVENTS = ['request', 'checkContinue', 'checkExpectation'];
const LIVE = '/api/live/';
const isLive = (url: string) => url.startsWith(LIVE);

const backends = signedBackends();
afterEach(backends.stopAll);

interface Heard {
  event: string;
  url?: string;
  cookie?: string;
  body: string;
}

/** Takes the place of a server's listeners as socket.io does: it answers some targets, and has them answer all else. */
function putInFront(server: Server, heard: Heard[], takes = isLive): void {
  const listeners = server.listeners('request') as RequestListener[];
  server.removeAllListeners('request');
  for (const event of EVENTS) {
    server.on(event, (async (req, res) => {
      if (!takes(req.url!)) {
        listeners.forEach(listener => listener.call(server, req, res));
        return;
      }
      const { url, headers } = req;
      let body = '';
      if (event === 'checkContinue') {
        res.writeContinue();
      }
      for await (const chunk of req) {
        body += chunk;
      }
      heard.push({ event, url, cookie: headers.cookie, body });
      res.writeHead(200, { 'X-Listener': event });
      res.end(`heard ${body.length}`);
    }) as RequestListener);
  }
}

/** Starts a backend whose adopter puts a listener in front of the app. */
async function start(options: SignedBackendOptions = {}, takes = isLive) {
  const heard: Heard[] = [];
  const caller = recordingPlugin('caller');
  const hello = openPlugin('hello');
  let server!: Server;
  const backend = await backends.start({
    ...options,
    features: [
      caller.feature,
      hello.feature,
      rootRouterWith(own => {
        server = own;
      }),
      ...(options.features ?? []),
    ],
  });
  putInFront(server, heard, takes);
  return {
    ...backend,
    heard,
    hello,
    server,
    policyOf: async () => backend.policy(await caller.tokenFor('auth')),
  };
}

const LINES: Record<string, string[]> = {
  request: [],
  checkContinue: ['Expect: 100-continue'],
  checkExpectation: ['Expect: something'],
};

/** Returns the status of the last answer, after one with 100. */
const finalStatus = ({ bytes }: { bytes: string }) =>
  Number(bytes.match(/(?<=^HTTP\/1.1 )\d+/gm)?.at(-1));

describe('[P98] a listener for requests beside the app', () => {
  it.each(EVENTS)('gets no %s below /api without a credential', async event => {
    const { get, heard, logged, sign } = await start();
    const token = await sign();
    const statuses = [];
    for (const [target, ...lines] of [
      [LIVE],
      [LIVE, bearer(forge(token))],
      [LIVE, cookie(token), from('https://evil.example.com')],
      [`${LIVE}x`, bearer(token)],
      [LIVE, cookie(token), SAME_ORIGIN],
    ]) {
      statuses.push(finalStatus(await get(target, ...lines, ...LINES[event])));
    }
    expect(statuses).toEqual([401, 401, 403, 200, 200]);
    const passed = { event, cookie: undefined, body: '' };
    expect(heard).toEqual([
      { ...passed, url: `${LIVE}x` },
      { ...passed, url: LIVE },
    ]);
    expect(logged('API gate refused a request')).toHaveLength(3);
    expect(logged('because the app is not the only one')).toHaveLength(1);
  });

  it.each(EVENTS)('gets each %s in report-only, recorded once', async event => {
    const { get, heard, logged, sign } = await start({
      apiGate: { mode: 'report-only' },
    });
    const statuses = [];
    for (const credential of [[], [bearer(await sign())]]) {
      const lines = [...credential, ...LINES[event]];
      statuses.push(finalStatus(await get(LIVE, ...lines)));
      // An answer of the app is recorded once, too.
      statuses.push(finalStatus(await get('/api/hello/x', ...lines)));
    }
    expect(statuses).toEqual([200, 200, 200, 200]);
    expect(heard.map(each => each.event)).toEqual([event, event]);
    const lines = logged('API gate would have refused a request');
    expect(lines.map(({ meta }) => (meta as any).plugin)).toEqual([
      'not installed',
      'hello',
    ]);
  });

  it.each([
    ['/x/../api/live/', 401],
    ['/%61pi/live/', 401],
    ['//localhost/api/live/', 401],
    ['/x\\..\\api/live/', 401],
    ['/API/live/', 401],
    ['/api/^/../live/#', 401],
    ['/outside/live', 404],
    ['/outside?/../api/live/', 404],
  ])(
    'that normalises targets does not get %s without a credential',
    async (target, status) => {
      const { get, heard, sign } = await start({}, url =>
        new URL(decodeURIComponent(url), 'http://x').pathname
          .toLowerCase()
          .startsWith(LIVE),
      );
      expect((await get(target)).status).toBe(status);
      expect(heard).toEqual([]);
      const passed = status === 401 ? 200 : 404;
      expect((await get(target, bearer(await sign()))).status).toBe(passed);
    },
  );

  it('that rewrites a target has it decided again, and renews no cookie', async () => {
    const { get, hello, server, sign } = await start();
    const listeners = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request');
    server.on('request', (req, res) => {
      req.url = req.url!.replace('/api/caller/', '/api/hello/');
      listeners.forEach(listener => listener(req, res));
    });
    const token = await sign();
    const statuses = [];
    for (const lines of [[], [cookie(token), SAME_ORIGIN]]) {
      const { headers, status } = await get('/api/caller/x', ...lines);
      statuses.push(status);
      expect(headers['set-cookie']).toBeUndefined();
    }
    expect(statuses).toEqual([401, 200]);
    expect(hello.handled).toHaveLength(1);
  });

  it.each(['app', 'server'])(
    'has a request decided again that a public handler hands to the %s',
    async again => {
      const { get, hello, sign } = await start({
        apiGate: { allow: [{ plugin: 'forwarding', path: '/public' }] },
        features: [
          openPlugin('forwarding', {
            handle: (req, res) => {
              const { server } = req.socket as unknown as { server: Server };
              Object.assign(req, { url: '/api/hello/secret', baseUrl: '' });
              return again === 'app'
                ? req.app(req, res)
                : server.emit('request', req, res);
            },
          }).feature,
        ],
      });
      const target = '/api/forwarding/public';
      expect((await get(target)).status).toBe(401);
      expect(hello.handled).toEqual([]);
      expect((await get(target, bearer(await sign()))).status).toBe(200);
      expect(hello.handled).toHaveLength(1);
    },
  );

  it('gets the whole body of a request whose token takes time to verify', async () => {
    const { heard, request, sign } = await start();
    const body = 'x'.repeat(3_000_000);
    for (const lines of [[], LINES.checkContinue]) {
      const credential = bearer(await sign({ sub: `user:default/${lines}` }));
      const answer = await request('POST', LIVE, [credential, ...lines], body);
      expect(answer.bytes).toContain('heard 3000000');
    }
    expect(heard.map(each => each.body.length)).toEqual([3_000_000, 3_000_000]);
  });

  it('answers requests of one connection in their order', async () => {
    const { heard, port, sign } = await start();
    const user = bearer(await sign());
    const requests = [
      [LIVE, user],
      ['/api/hello/x'],
      ['/api/hello/x', user],
      [LIVE],
      [`${LIVE}2`, user, 'Connection: close'],
    ].map(([target, ...lines]) =>
      [`GET ${target} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n'),
    );
    const answers = await exchangeBytes(port, Buffer.from(requests.join('')));
    expect(answers.map(({ status }) => status)).toEqual([
      200, 401, 200, 401, 200,
    ]);
    expect(heard.map(({ url }) => url)).toEqual([LIVE, `${LIVE}2`]);
  });

  it('is behind the gate at a further server from its first request on', async () => {
    const { server, sign } = await start();
    const heard: Heard[] = [];
    const [app] = server.listeners('request') as RequestListener[];
    const further = createServer((req, res) => app(req, res));
    putInFront(further, heard);
    const { port } = await listen(further);
    expect((await rawRequest(port, '/api/hello/x')).status).toBe(401);
    expect((await rawRequest(port, LIVE)).status).toBe(401);
    expect(heard).toEqual([]);
    const headerLines = [bearer(await sign())];
    expect((await rawRequest(port, LIVE, { headerLines })).status).toBe(200);
  });

  it('emits what it has got to the app, which serves it, and it is counted once', async () => {
    const exported = await exportMetrics();
    backends.add(exported);
    const { get, hello, server, sign } = await start();
    server.removeAllListeners('checkContinue');
    server.on('checkContinue', (req, res) => {
      res.writeContinue();
      server.emit('request', req, res);
    });
    const user = bearer(await sign());
    const answer = await get('/api/hello/x', user, ...LINES.checkContinue);
    expect(finalStatus(answer)).toBe(200);
    expect(hello.handled).toHaveLength(1);
    expect(await exported.decisions()).toContainEqual(
      expect.objectContaining({ plugin: 'hello', reason: 'bearer', count: 1 }),
    );
  });
});

it.each(['enforce', 'report-only'] as const)(
  '[P99] in %s, a listener beside the app changes no answer of the app, no session and no count',
  async mode => {
    const port = await freePort();
    const token = await backends.signFor(port);
    const observe = (attach?: (server: Server) => void) =>
      observeBackend({ attach, backends, mode, port, token });
    const without = await observe();
    expect(without.ordinary).toHaveLength(45);
    expect(without.preflight).toContain('204 No Content');
    const refused = mode === 'enforce' ? 401 : 200;
    expect(without.refusedElsewhere).toContain(`HTTP/1.1 ${refused}`);
    expect(without.session).toEqual([
      ...Array(15).fill(200),
      ...Array(6).fill(refused),
    ]);
    expect(without.accessLog.length).toBeGreaterThan(80);
    expect(await observe(server => putInFront(server, []))).toEqual(without);
  },
);
