import path from 'node:path';
import express, { RequestHandler, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { ATTACKS, replay, Target } from './attack';
import { DevConfig, RULES } from './config';
import type { Feed } from './Feed';

// The page calls the backend without the gate, and the one in report-only, at other ports of this machine.
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "object-src 'none'",
  "connect-src 'self' http://localhost:* ws://localhost:*",
  "frame-ancestors 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/**
 * Creates the page and its controls, which only this development backend has. They answer the page itself, and no page of
 * another site.
 */
export function createControls(options: {
  alone: Target;
  gate: Target;
  config: DevConfig;
  feed: Feed;
  startReportOnly(): Promise<Target>;
}): Router {
  const { alone, gate, config, feed, startReportOnly } = options;
  const router = PromiseRouter();
  let isAttacking = false;

  router.use('/dev', assertOwnPage(gate.port));
  router.get('/dev/info', (_req, res) => {
    res.json({
      alone: alone.url,
      attacks: ATTACKS.length,
      publicCalls: config.publicCalls,
      rules: RULES,
    });
  });
  router.get('/dev/events', (_req, res) => feed.listen(res));
  router
    .route('/dev/public/:call')
    .all((req, res, next) =>
      Object.hasOwn(RULES, req.params.call) ? next() : res.sendStatus(404),
    )
    .put((req, res) => {
      config.setPublic(req.params.call, true);
      res.sendStatus(204);
    })
    .delete((req, res) => {
      config.setPublic(req.params.call, false);
      res.sendStatus(204);
    });
  router.post('/dev/report-only', async (_req, res) => {
    res.json({ url: (await startReportOnly()).url });
  });
  router.post('/dev/attack', async (_req, res) => {
    if (isAttacking) {
      res.sendStatus(409);
      return;
    }
    isAttacking = true;
    try {
      res.type('application/x-ndjson');
      for await (const result of replay(alone, gate)) {
        if (res.destroyed) {
          return;
        }
        res.write(`${JSON.stringify(result)}\n`);
      }
      res.end();
    } finally {
      isAttacking = false;
    }
  });
  router.use(createPage(gate));
  return router;
}

/** Creates the routes of the page's files. */
function createPage(gate: Target): Router {
  const router = Router();
  // Only localhost is an origin of the backend's configuration. A browser has other cookies for 127.0.0.1.
  router.get('/', (req, res, next) => {
    if (req.headers.host === `127.0.0.1:${gate.port}`) {
      res.redirect(`${gate.url}/`);
    } else {
      next();
    }
  });
  router.use(
    express.static(path.join(__dirname, 'page'), {
      setHeaders(res) {
        res.setHeader('Content-Security-Policy', CONTENT_SECURITY_POLICY);
        res.setHeader('X-Content-Type-Options', 'nosniff');
        res.setHeader('Referrer-Policy', 'no-referrer');
      },
    }),
  );
  return router;
}

/**
 * Refuses requests for another host, which a page of another site makes once its name resolves to this machine, and changes
 * that the page itself has not asked for.
 */
function assertOwnPage(port: number): RequestHandler {
  const hosts = [`localhost:${port}`, `127.0.0.1:${port}`];
  return (req, res, next) => {
    const isOwn =
      req.method === 'GET' || req.headers['sec-fetch-site'] === 'same-origin';
    if (hosts.includes(req.headers.host ?? '') && isOwn) {
      next();
    } else {
      res.sendStatus(403);
    }
  };
}
