import type { Server } from 'node:http';
import type { Request, Response } from 'express';
import { omit } from 'lodash';
import { exportMetrics } from './exportMetrics';
import { openPlugin, recordingPlugin } from './recordingPlugin';
import {
  bearer,
  COOKIE_ENDPOINT,
  cookie,
  from,
  KEYS,
  SAME_ORIGIN,
} from './requestParts';
import { rootRouterWith } from './rootHandler';
import type { signedBackends } from './signedBackends';
import { comparable } from './startTwin';

const FRONTEND = 'https://frontend.example.com';
const MINUTE = 60_000;

const TEXT = 'A text that is worth a compression. '.repeat(100);

/** The handlers by path. */
const HANDLERS: Record<string, (req: Request, res: Response) => unknown> = {
  '/json': ({ headers, ip, originalUrl, query, user }: any, res) =>
    res.json({ headers, ip, originalUrl, query, user }),
  '/page': (_req, res) => res.type('html').send('<p>page</p>'),
  '/picture': (_req, res) => res.type('svg').send('<svg/>'),
  '/text': (_req, res) => res.type('text').send(TEXT),
  '/shared': (_req, res) =>
    res.set('Cache-Control', 'public, s-maxage=60').json({}),
  '/moved': (_req, res) => res.redirect('/api/hello/json'),
  '/failed': () => {
    throw new Error('The handler fails');
  },
  '/cookies': (_req, res) => res.cookie('a', '1').cookie('b', '2').end(),
  '/public': (_req, res) => res.status(204).end(),
};

/**
 * Sends the same requests to a backend as to any other, and returns all that must not depend on listeners beside the app: answers
 * byte by byte but for ids and times, what handlers see, all counts, and the number of lines in the access log.
 *
 * @param attach - adds listeners to the server of the backend
 */
export async function observeBackend(options: {
  backends: ReturnType<typeof signedBackends>;
  port: number;
  /** A user's token of a backend at this port. */
  token: string;
  mode: 'enforce' | 'report-only';
  attach?: (server: Server) => void;
  /** Whether the listeners are there before the first connection. */
  isEarly?: boolean;
}) {
  const { attach, backends, isEarly, mode, port, token } = options;
  const exported = await exportMetrics();
  const caller = recordingPlugin('caller');
  const hello = openPlugin('hello', {
    handle: (req, res) => HANDLERS[req.path]?.(req, res) ?? res.json({}),
  });
  let server!: Server;
  const backend = await backends.start({
    port,
    apiGate: {
      mode,
      allow: [{ plugin: 'hello', path: '/public' }],
      cookie: { maxAge: '15m' },
    },
    config: { backend: { cors: { origin: FRONTEND, credentials: true } } },
    features: [
      caller.feature,
      hello.feature,
      rootRouterWith(own => {
        server = own;
        if (isEarly) {
          attach?.(server);
        }
      }),
    ],
  });
  if (!isEarly) {
    attach?.(server);
  }
  const send = async (...args: Parameters<typeof backend.request>) =>
    withHeadersSorted(comparable(await backend.request(...args), String(port)));

  // The plugin that has registered first verifies tokens for those that are not installed, and each has keys of its own. Now all have them.
  for (const target of ['/api/auth/v1/userinfo', '/api/caller/x']) {
    await backend.get(target, bearer(token));
  }
  const ordinary: string[] = [];
  for (const path of Object.keys(HANDLERS)) {
    for (const credential of [
      [],
      [bearer(token)],
      [bearer(token), cookie(token)],
      [cookie(token), SAME_ORIGIN],
      [cookie(token), 'Sec-Fetch-Site: cross-site', from('https://evil.com')],
    ]) {
      const lines = [...credential, 'Accept-Encoding: gzip'];
      ordinary.push(await send('GET', `/api/hello${path}?q=1`, lines));
    }
  }
  const preflight = await send('OPTIONS', '/api/hello/json', [
    from(FRONTEND),
    'Access-Control-Request-Method: POST',
    'Access-Control-Request-Headers: authorization',
  ]);
  const refusedElsewhere = await send('GET', '/api/hello/json', [
    from(FRONTEND),
  ]);
  const others: string[] = [];
  for (const [method, target, ...lines] of [
    ['HEAD', '/api/hello/json', bearer(token)],
    ['HEAD', '/api/hello/json'],
    ['POST', '/api/hello/json'],
    ['PUT', '/api/HELLO/json', bearer(token)],
    ['OPTIONS', '/api/hello/json', bearer(token), from('https://evil.com')],
    ['GET', '/api/absent/x'],
    ['GET', '/api/absent/x', bearer(token)],
    ['GET', `/api/absent${KEYS}`],
    ['GET', '/api/%ZZ/x', bearer(token)],
    ['GET', '/api/hello/%ZZ', bearer(token)],
    ['GET', '/api/hello//x'],
    ['GET', 'http://localhost/api/hello/json'],
    ['GET', 'http://localhost/api/hello/json', bearer(token)],
    ['GET', `/api/hello${COOKIE_ENDPOINT}`, bearer(token), from(FRONTEND)],
    ['GET', COOKIE_ENDPOINT],
    ['DELETE', `/api/absent${COOKIE_ENDPOINT}`],
    ['GET', '/.backstage/health/v1/liveness'],
    ['GET', '/elsewhere'],
  ]) {
    others.push(await send(method, target, lines));
  }

  const session = await useCookieAlone(backend, token);
  const signOut = [
    await send('DELETE', `/api/hello${COOKIE_ENDPOINT}`, [
      cookie(token),
      SAME_ORIGIN,
    ]),
    await send('GET', '/api/hello/json', [cookie(token), SAME_ORIGIN]),
  ];

  const { series } = await exported.scrape();
  const requestsInLog = backend.log.filter(
    ({ meta }) => (meta as any)?.type === 'incomingRequest',
  );
  const { refusals } = await backend.policy(await caller.tokenFor('auth'));
  await backends.stopAll();
  await exported.stop();
  return {
    ordinary,
    preflight,
    refusedElsewhere,
    others,
    session,
    signOut,
    metrics: series.filter(({ name }) => /_(total|count)$/.test(name)),
    reported: refusals.last.map(each => omit(each, 'id', 'time')),
    // On releases before November 2026, each line begins with its time. The requests for keys have no fixed place.
    accessLog: requestsInLog
      .map(({ message }) =>
        message.replace(/^\[[^\]]*\] /, '').replaceAll(String(port), 'PORT'),
      )
      .sort(),
  };
}

/** Headers of different names have no order. */
function withHeadersSorted(bytes: string): string {
  const end = bytes.indexOf('\r\n\r\n');
  const [status, ...lines] = bytes.slice(0, end).split('\r\n');
  return [status, ...lines.sort(), bytes.slice(end)].join('\r\n');
}

/**
 * Uses a session by the cookie alone, once a minute. The token lives an hour, and the cookie 15 minutes in a browser.
 *
 * @returns the status in each of 20 minutes
 */
async function useCookieAlone(
  { get }: { get(target: string, ...lines: string[]): Promise<any> },
  token: string,
): Promise<number[]> {
  const clock = jest.spyOn(performance, 'now');
  const begin = performance.now();
  // A later minute than that of any request before, which has set the cookie.
  let now = begin + 60 * MINUTE;
  clock.mockImplementation(() => now);
  let endOfCookie = 0;
  const visit = async (...lines: string[]): Promise<number> => {
    const { headers, status } = await get('/api/hello/json', ...lines);
    const [, maxAge] = /Max-Age=(\d+)/.exec(headers['set-cookie'] ?? '') ?? [];
    endOfCookie = maxAge ? now + Number(maxAge) * 1000 : endOfCookie;
    return status;
  };
  const statuses = [await visit(bearer(token))];
  for (let minute = 1; minute <= 20; minute += 1) {
    now += MINUTE;
    statuses.push(
      now < endOfCookie
        ? await visit(cookie(token), SAME_ORIGIN)
        : await visit(),
    );
  }
  clock.mockRestore();
  return statuses;
}
