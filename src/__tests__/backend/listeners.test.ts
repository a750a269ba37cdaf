import { createServer, RequestListener, Server } from 'node:http';
import { rawRequest } from '../__testUtils__/rawRequest';
import { openPlugin } from '../__testUtils__/recordingPlugin';
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
const OUTSIDE = '/live/';
const isLive = (url: string) => url.includes(OUTSIDE);

const backends = signedBackends();
afterEach(backends.stopAll);

interface Heard {
  event: string;
  url?: string;
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
      const { url } = req;
      let body = '';
      if (event === 'checkContinue') {
        res.writeContinue();
      }
      for await (const chunk of req) {
        body += chunk;
      }
      heard.push({ event, url, body });
      res.writeHead(200, { 'X-Listener': event });
      res.end(`heard ${body.length}`);
    }) as RequestListener);
  }
}

/** Starts a backend whose adopter puts a listener in the place of the app. */
async function start({
  isEarly = false,
  takes,
  ...options
}: SignedBackendOptions & {
  /** Whether the listener is there before the first connection. */
  isEarly?: boolean;
  takes?: (url: string) => boolean;
} = {}) {
  const heard: Heard[] = [];
  const hello = openPlugin('hello');
  let server!: Server;
  let app!: RequestListener;
  const backend = await backends.start({
    ...options,
    features: [
      hello.feature,
      rootRouterWith(own => {
        server = own;
        [app] = server.listeners('request') as RequestListener[];
        if (isEarly) {
          putInFront(server, heard, takes);
        }
      }),
      ...(options.features ?? []),
    ],
  });
  if (!isEarly) {
    await backend.get('/api/hello/x');
    backend.log.length = 0;
    putInFront(server, heard, takes);
  }
  return { ...backend, app, heard, hello, server };
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
  it.each(
    EVENTS.flatMap(event => [true, false].map(isEarly => [event, isEarly])),
  )(
    'gets no %s below /api, with or without a credential, and the app answers; there before the first connection: %j',
    async (event, isEarly) => {
      const { get, heard, logged, sign } = await start({ isEarly: !!isEarly });
      const token = await sign();
      const statuses = [];
      for (const [target, ...lines] of [
        [LIVE],
        [LIVE, bearer(forge(token))],
        [LIVE, cookie(token), from('https://evil.example.com')],
        [`${LIVE}x`, bearer(token)],
        ['/api/hello/x', cookie(token), SAME_ORIGIN],
        [OUTSIDE],
      ]) {
        const answer = await get(target, ...lines, ...LINES[String(event)]);
        statuses.push(finalStatus(answer));
      }
      expect(statuses).toEqual([401, 401, 403, 404, 200, 200]);
      expect(heard).toEqual([{ event, url: OUTSIDE, body: '' }]);
      expect(logged('API gate refused a request')).toHaveLength(3);
      expect(logged(`a listener for '${event}' beside`)).toEqual([
        expect.objectContaining({ level: 'warn' }),
      ]);
    },
  );

  it('gets nothing below /api in report-only either', async () => {
    const { get, heard, logged, sign } = await start({
      isEarly: true,
      apiGate: { mode: 'report-only' },
    });
    for (const lines of [[], [bearer(await sign())]]) {
      expect((await get(LIVE, ...lines)).status).toBe(404);
      expect((await get('/api/hello/x', ...lines)).status).toBe(200);
    }
    expect(heard).toEqual([]);
    const lines = logged('API gate would have refused a request');
    expect(lines.map(({ meta }) => (meta as any).plugin)).toEqual([
      'not installed',
      'hello',
    ]);
  });

  it('is no way around the gate at a further server, of the app or of a listener that calls it', async () => {
    const { app, server, sign } = await start();
    const [listener] = server.listeners('request') as RequestListener[];
    for (const hasApp of [true, false]) {
      const heard: Heard[] = [];
      const further = createServer((req, res) => listener(req, res));
      putInFront(further, heard);
      if (hasApp) {
        further.on('request', app);
      }
      const { port } = await listen(further);
      expect((await rawRequest(port, '/api/hello/x')).status).toBe(401);
      expect((await rawRequest(port, LIVE)).status).toBe(401);
      const headerLines = [bearer(await sign())];
      const answer = await rawRequest(port, '/api/hello/x', { headerLines });
      expect(answer.status).toBe(200);
      expect(heard).toEqual([]);
    }
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
});
