import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import express, { ErrorRequestHandler, Express, RequestHandler } from 'express';
import type { ApiGate } from '../gate/createApiGate';
import { NO_PLUGIN, readUpgradeTarget } from '../gate/read/mountedRequest';
import { COOKIE_PATH } from '../gate/read/requestLine';

const asPlugin =
  (gatedPluginId: string, handler: RequestHandler): RequestHandler =>
  (req, res, next) => {
    req.params = { gatedPluginId };
    handler(req, res, next);
  };

export function mountAt(
  router: { use(path: string, handler: RequestHandler): unknown },
  handler: RequestHandler,
): void {
  router.use('/api/:gatedPluginId', handler);
  // The root router serves one plugin at `/` too, `app` by default, and so that plugin's cookie endpoint. The endpoint comes in
  // front of all handlers that the plugin's router could check.
  router.use(COOKIE_PATH, asPlugin('app', handler));
}

/**
 * Makes the Express app that decides about a request before the listeners of a server get it.
 *
 * It calls back for a request that goes on, and answers any other. Backstage's own middleware is in front of these answers, in the order
 * of a stock backend. Its CORS answers preflights, which have no credential, and lets pages of another origin read a 401. A request that
 * goes on does not pass this middleware, since the app has it too, and other listeners may have CORS of their own.
 */
export function createFront(
  gate: Pick<ApiGate, 'config' | 'earlyDecisions' | 'logger'>,
  /** The gate in Express, which carries out the early decisions. */
  mount: RequestHandler,
  answerError: ErrorRequestHandler,
): Express {
  const { config, earlyDecisions, logger } = gate;
  const front = express();
  front.disable('x-powered-by');
  front.set('trust proxy', config.getOptional('backend.trustProxy'));

  front.use((req, res, next) => {
    // A listener may emit again what it has got.
    res.locals = {};
    next(earlyDecisions.find(req)?.goesOn ? 'router' : undefined);
  });
  mountAt(front, earlyDecisions.decide);
  // A listener may normalise a target that Express reads as one outside of `/api`. Such a target needs a credential, as for upgrades.
  const decideDoubtful = asPlugin(NO_PLUGIN, earlyDecisions.decide);
  front.use((req, res, next) =>
    res.locals.goesOn === undefined && readUpgradeTarget(req.url)
      ? decideDoubtful(req, res, next)
      : next(),
  );
  const keepError: ErrorRequestHandler = (error, _req, res, next) => {
    res.locals = { error, goesOn: false };
    next();
  };
  front.use(keepError);
  front.use((req, res, next) => {
    // Express rewrites some targets with `#` at a mount.
    req.url = req.originalUrl;
    next(res.locals.goesOn === false ? undefined : 'router');
  });

  const middleware = MiddlewareFactory.create({
    config,
    logger: logger.child({ service: 'rootHttpRouter' }),
  });
  front.use(
    middleware.helmet(),
    middleware.cors(),
    middleware.compression(),
    middleware.logging(),
    middleware.rateLimit(),
    (_req, res, next) => next(res.locals.error),
  );
  mountAt(front, mount);
  front.use(asPlugin(NO_PLUGIN, mount), answerError);
  logger.info(
    'API gate decides about requests before the listeners of the server, because the app is not the only one',
  );
  return front;
}
