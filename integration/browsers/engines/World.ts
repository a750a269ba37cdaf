import type { Server } from 'node:http';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import signalsPlugin from '@backstage/plugin-signals-backend';
import type { Request, RequestHandler, Response } from 'express';
import { once } from 'lodash';
import onHeaders from 'on-headers';
import { clockPlugin } from '../../../dev/clockPlugin';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { openPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { startBackend } from '../../../src/__tests__/__testUtils__/startBackend';
import { REFUSALS } from '../../../src/gate/Refusal';
import { HOSTILE } from '../policyPage/checkTexts';
import { PIXEL } from '../chromium/proxiedServer';
import { sleep } from '../../http';
import { Attacker, Certificate, startAttacker, toPage } from './attacker';
import type { Tab } from './Browser';

/** A name that browsers resolve to this machine. On plain http, browsers trust localhost, and no other name. */
export const HOST_NAME = 'backstage.test';
/** The path of a handler that changes something. */
export const HOOK = '/api/hello/hook';

/** A page that has sent nothing for so long sends no more of what it should. */
const REQUEST_TIME_MS = 10_000;

/** A request to the handler: the headers that the browser sent, and what came of it. */
export interface Exchange {
  /** The title of the case that made the browser send it. */
  title: string;
  site: string | undefined;
  origin: string | undefined;
  /** Whether the gate's cookie was there. */
  cookie: boolean;
  /** `ran` if the handler did, else the status and the gate's reason. */
  outcome: string;
}

/** A backend with the gate, a frontend of one page, and a plugin that only the gate protects; and another party's server. */
export interface World {
  port: number;
  url: string;
  attacker: Attacker;
  /** The server of a frontend on another port, whose origin is trusted. */
  elsewhere: Attacker;
  /** Sets the body of the frontend's page. */
  show(body: string): void;
  /**
   * Returns the address of the handler for a case, each time another one: browsers use again what they have loaded. With `redirect` in
   * its query, a status, the handler redirects to it.
   */
  addressOf(title: string, origin?: string): string;
  /** Runs an action that makes a browser send requests for the handler. Resolves with them once each case has one, or none comes. */
  during(
    titles: readonly string[],
    act: () => Promise<unknown>,
  ): Promise<Exchange[]>;
  /** Sets what the plugin answers at paths other than the handler's. */
  serve(handle: (req: Request, res: Response) => void): void;
  /**
   * Sets which of the gate's rules are off. Without those for answers, these lose the headers that the gate sets for browsers. Without
   * all, requests lose the headers by which the gate judges what sent them, too, and upgrades have the backend's own origin.
   */
  setRulesOff(off: 'answers' | 'all' | 'none'): void;
}

/**
 * Runs `use` while such a backend is up.
 *
 * @param https - with it, the backend is on https, and other sites' requests have the cookie
 * @param withGate - default true
 */
export async function withWorld(
  {
    https,
    withGate,
  }: { https?: { certificate: Certificate }; withGate?: boolean },
  use: (world: World) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const url = `${https ? 'https' : 'http'}://localhost:${port}`;
  const cookie = https && { name: '__Host-token', sameSite: 'none' };
  const exchanges: Exchange[] = [];
  let rulesOff = 'none';
  let shown = '';
  let serve: Parameters<World['serve']>[0] = (_req, res) => void res.end();
  let addresses = 0;
  let server: Server;
  const attacker = await startAttacker(https?.certificate);
  const elsewhere = await startAttacker();
  const hello = openPlugin('hello', {
    handle(req, res) {
      const { path, query } = req;
      res.locals.ran = true;
      if (!HOOK.endsWith(path)) {
        serve(req, res);
      } else if (query.redirect) {
        res.redirect(
          Number(query.redirect),
          `${HOOK}?title=${encodeURIComponent(String(query.title))}`,
        );
      } else {
        res.set('Cache-Control', 'no-store').type('gif').send(PIXEL);
      }
    },
  });
  const record: RequestHandler = (req, res, next) => {
    const { headers, query } = req;
    const { origin, cookie: cookies = '', 'sec-fetch-site': site } = headers;
    // The listener that is added first is called last.
    onHeaders(res, () => rulesOff !== 'none' && undo(res));
    if (rulesOff === 'all') {
      for (const name of Object.keys(headers)) {
        if (/^(origin|sec-fetch-.*|service-worker)$/.test(name)) {
          delete headers[name];
        }
      }
    }
    // A preflight is no request of a page.
    const isPreflight = 'access-control-request-method' in headers;
    if (req.path === HOOK && !query.redirect && !isPreflight) {
      const end: (...args: any[]) => typeof res = res.end;
      let body = '';
      res.end = (...args: any[]) => {
        body = String(args[0]);
        return end.apply(res, args);
      };
      res.once('finish', () =>
        exchanges.push({
          title: String(query.title),
          site: site?.toString(),
          origin,
          cookie: /\b(__Host-)?token=./.test(cookies),
          outcome: res.locals.ran
            ? 'ran'
            : `${res.statusCode} ${reasonIn(body)}`,
        }),
      );
    }
    next();
  };
  // Replaces the gate's own `emit`, which the server has once it has served a page: the gate decides about upgrades there.
  const replaceOrigins = once(() => {
    const { emit } = server;
    server.emit = (event: string, ...args: any[]) => {
      if (event === 'upgrade' && rulesOff === 'all') {
        args[0].headers.origin = url;
      }
      return Reflect.apply(emit, server, [event, ...args]);
    };
  });
  const backend = await startBackend({
    port,
    withGate,
    features: [
      openPlugin('app', {
        handle(_req, res) {
          // The cases are scripts in the page.
          res.removeHeader('Content-Security-Policy');
          res.send(toPage(shown));
        },
      }).feature,
      ...[hello.feature, signalsPlugin, clockPlugin],
      rootHttpRouterServiceFactory({
        configure({ app, applyDefaults, ...context }) {
          server = context.server;
          app.use(record);
          applyDefaults();
        },
      }),
    ],
    config: {
      app: { baseUrl: `http://${HOST_NAME}:${port}` },
      backend: {
        baseUrl: url,
        cors: { origin: elsewhere.origin, credentials: true },
        ...(https && { https }),
        // Backstage's documents switch this off for plain http.
        csp: { 'upgrade-insecure-requests': false },
      },
      auth: {
        apiGate: {
          operators: ['user:development/guest'],
          allow: [{ plugin: 'hello', path: '/hostile', reason: HOSTILE }],
          cookie: { ...cookie, trustedOrigins: [elsewhere.origin] },
        },
      },
    },
  });
  try {
    await use({
      port,
      url,
      ...{ attacker, elsewhere },
      show(body) {
        shown = body;
      },
      addressOf(title, origin = url) {
        addresses += 1;
        const query = new URLSearchParams({ title, id: `${addresses}` });
        return `${origin}${HOOK}?${query}`;
      },
      async during(titles, act) {
        exchanges.length = 0;
        await act();
        const isMissing = (title: string) =>
          !exchanges.some(each => each.title === title);
        let [count, since] = [0, performance.now()];
        while (
          titles.some(isMissing) &&
          performance.now() - since < REQUEST_TIME_MS
        ) {
          if (exchanges.length > count) {
            [count, since] = [exchanges.length, performance.now()];
          }
          await sleep(20);
        }
        return [...exchanges];
      },
      serve(handle) {
        serve = handle;
      },
      setRulesOff(off) {
        rulesOff = off;
        if (off === 'all') {
          replaceOrigins();
        }
      },
    });
  } finally {
    attacker.stop();
    elsewhere.stop();
    await backend.stop();
  }
}

/** Removes what the gate sets for browsers. A handler of these checks sets `Cache-Control` with `max-age` or `no-cache`. */
function undo(res: Response) {
  res.removeHeader('Vary');
  res.removeHeader('Content-Security-Policy');
  if (res.getHeader('Cache-Control') === 'no-store') {
    res.removeHeader('Cache-Control');
  }
}

/** Returns the gate's reason for the refusal whose answer has a body. */
function reasonIn(body: string): string | undefined {
  const rows = Object.entries(REFUSALS);
  return rows.find(([, { message }]) => body.includes(message))?.[0];
}

/** Signs in as a guest on a page of the frontend, as the frontend does. The browser has the gate's cookie then. */
export async function signIn(
  tab: Tab,
  world: World,
  url = world.url,
): Promise<void> {
  world.show('');
  await tab.open(`${url}/`);
  await tab.evaluate(async () => {
    const answer = await fetch('/api/auth/guest/refresh');
    const { token } = (await answer.json()).backstageIdentity;
    const headers = { Authorization: `Bearer ${token}` };
    await fetch('/api/hello/x', { headers });
  });
}
