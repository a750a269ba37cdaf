import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { RequestHandler } from 'express';
import type { Page } from 'puppeteer-core';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { openPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { startBackend } from '../../../src/__tests__/__testUtils__/startBackend';
import { PIXEL } from '../chromium/proxiedServer';
import { until } from '../../http';
import { Attacker, Certificate, startAttacker } from './attacker';

/** A name that Firefox resolves to this machine. On plain http, browsers trust localhost, and no other name. */
export const HOST_NAME = 'backstage.test';
/** The path of a handler that changes something. */
export const HOOK = '/api/hello/hook';

/** A request for {@link HOOK}: the headers that Firefox sent, the answer, and whether the handler ran. */
export interface Exchange {
  site: string | undefined;
  origin: string | undefined;
  /** Whether the gate's cookie was there. */
  cookie: boolean;
  status: number;
  ran: boolean;
}

/** A backend with the gate, a frontend of one page, and a plugin that only the gate protects; and another party's server. */
export interface World {
  port: number;
  url: string;
  attacker: Attacker;
  /** Runs an action that makes Firefox send one request for {@link HOOK}. Resolves once that is answered. */
  during(act: () => Promise<unknown>): Promise<Exchange>;
  /** Sets whether `Origin`, by which the rule judges, is removed from requests before they reach the gate. */
  setRuleOff(isOff: boolean): void;
}

/**
 * Runs `use` while such a backend is up.
 *
 * @param https - with it, the backend is on https, and other sites' requests have the cookie
 */
export async function withWorld(
  { https }: { https?: { certificate: Certificate } },
  use: (world: World) => Promise<void>,
): Promise<void> {
  const port = await freePort();
  const url = `${https ? 'https' : 'http'}://localhost:${port}`;
  const cookie = https && { name: '__Host-token', sameSite: 'none' };
  const exchanges: Exchange[] = [];
  let isRuleOff = false;
  const hello = openPlugin('hello', {
    handle(req, res) {
      const status = Number(req.query.redirect);
      if (status) {
        res.redirect(status, HOOK);
      } else {
        res.set('Cache-Control', 'no-store').type('gif').send(PIXEL);
      }
    },
  });
  const record: RequestHandler = (req, res, next) => {
    const {
      origin,
      cookie: cookies = '',
      'sec-fetch-site': site,
    } = req.headers;
    if (isRuleOff) {
      delete req.headers.origin;
    }
    if (req.path === HOOK && !req.query.redirect) {
      const before = hello.handled.length;
      res.once('finish', () =>
        exchanges.push({
          site: site?.toString(),
          origin,
          cookie: /\b(__Host-)?token=./.test(cookies),
          status: res.statusCode,
          ran: hello.handled.length > before,
        }),
      );
    }
    next();
  };
  const backend = await startBackend({
    port,
    features: [
      openPlugin('app', {
        handle: (_req, res) => res.send('<!doctype html><title>Home</title>'),
      }).feature,
      hello.feature,
      rootHttpRouterServiceFactory({
        configure({ app, applyDefaults }) {
          app.use(record);
          applyDefaults();
        },
      }),
    ],
    config: {
      app: { baseUrl: `http://${HOST_NAME}:${port}` },
      backend: {
        baseUrl: url,
        ...(https && { https }),
        // Backstage's documents switch this off for plain http.
        csp: { 'upgrade-insecure-requests': false },
      },
      auth: {
        apiGate: {
          readers: ['user:development/guest'],
          ...(cookie && { cookie }),
        },
      },
    },
  });
  const attacker = await startAttacker(url + HOOK, https?.certificate);
  try {
    await use({
      port,
      url,
      attacker,
      async during(act) {
        exchanges.length = 0;
        await act();
        await until('an answer', 10_000, async () => exchanges.length > 0);
        return exchanges[0];
      },
      setRuleOff(isOff) {
        isRuleOff = isOff;
      },
    });
  } finally {
    attacker.stop();
    await backend.stop();
  }
}

/** Signs in as a guest on a page of the frontend, as the frontend does. The browser has the gate's cookie then. */
export async function signIn(page: Page, url: string): Promise<void> {
  await page.goto(`${url}/`);
  await page.evaluate(async () => {
    const answer = await fetch('/api/auth/guest/refresh');
    const { token } = (await answer.json()).backstageIdentity;
    const headers = { Authorization: `Bearer ${token}` };
    await fetch('/api/hello/x', { headers });
  });
}
