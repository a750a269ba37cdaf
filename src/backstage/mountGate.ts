import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type { RootHttpRouterService } from '@backstage/backend-plugin-api';
import type { ErrorResponseBody } from '@backstage/errors';
import type { ErrorRequestHandler, Request, RequestHandler } from 'express';
import { DECISION_HEADER, ERRORS } from '../gate/Refusal';
import type { ApiGate } from '../gate/createApiGate';
import { isPageDestination } from '../gate/read/browsers';
import {
  COOKIE_PATH,
  PAGE_PATH,
  requestMethod,
  withoutQuery,
} from '../gate/read/requestLine';
import { createPageErrorAnswer } from '../operators/page/createPageErrorAnswer';
import { findServers, ServerWatch } from './findServers';
import { RequestGuard } from './RequestGuard';

const STATUSES = new Map(
  Object.entries(ERRORS).map(([status, { name }]) => [name, Number(status)]),
);

/**
 * Mounts the gate at the root router, puts it in front of the listeners for upgrades at the backend's HTTP servers, and has the app alone
 * get their requests below `/api`.
 *
 * @returns a function that stops the search for the server, and refuses all further upgrades
 */
export function mountGate(options: {
  gate: Pick<ApiGate, 'config' | 'handler' | 'logger' | 'upgradeGate'>;
  rootHttpRouter: RootHttpRouterService;
  watch: ServerWatch;
}): () => void {
  const { gate, rootHttpRouter, watch } = options;
  const { config, handler, logger, upgradeGate } = gate;
  const answerError = createErrorAnswer({ config, logger });
  const requestGuard = new RequestGuard(mount, logger);
  // A plain function, because a router of Express skips all of its handlers for a target without a path, such as `foo://any/api/x`.
  function mount(...[req, res, next]: Parameters<RequestHandler>): void {
    requestGuard.guardServerOf(req);
    handler(req, res, error =>
      error ? answerError(error, req, res, next) : next(),
    );
  }
  mountAt(rootHttpRouter, mount);
  findServers({
    config,
    watch,
    isApp: requestGuard.isApp,
    onFound: server => {
      upgradeGate.guard(server);
      requestGuard.guard(server);
    },
  });
  return () => {
    watch.stop();
    upgradeGate.stop();
  };
}

export function mountAt(
  router: { use(path: string, handler: RequestHandler): unknown },
  handler: RequestHandler,
): void {
  router.use('/api/:gatedPluginId', handler);
  // The root router serves one plugin at `/` too, `app` by default, and so that plugin's cookie endpoint. The endpoint comes in
  // front of all handlers that the plugin's router could check.
  router.use(COOKIE_PATH, (req, res, next) => {
    req.params = { gatedPluginId: 'app' };
    handler(req, res, next);
  });
}

/**
 * Makes a handler that answers the errors of the gate as Backstage's error middleware does, byte for byte but for the `ETag`. An
 * app that configures its own root router may have no such middleware.
 *
 * Refusals do not go through that middleware: anybody can cause them, it takes a fifth of the time of the whole request, and it
 * logs each 503. The gate's own log has one line a second of each kind, with the number of those left out.
 */
export function createErrorAnswer(
  options: Parameters<typeof MiddlewareFactory.create>[0],
): ErrorRequestHandler {
  const middleware = MiddlewareFactory.create(options).error();
  const answerPageError = createPageErrorAnswer(options.config);
  return (error: Error, req, res, next) => {
    const { name, message } = error;
    const statusCode = STATUSES.get(name);
    // Backstage's middleware logs any other error.
    if (statusCode === undefined || res.headersSent) {
      middleware(error, req, res, next);
      return;
    }
    if (opensPolicyPage(req)) {
      const id = String(res.getHeader(DECISION_HEADER));
      answerPageError(res, { status: statusCode, message, id });
      return;
    }
    const { method, url } = req;
    const answer: ErrorResponseBody = {
      error: { name, message },
      request: { method, url },
      response: { statusCode },
    };
    const body = Buffer.from(JSON.stringify(answer));
    // Not chained: a middleware in front may have replaced `writeHead` by one that returns nothing.
    res.writeHead(statusCode, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.length,
    });
    res.end(body);
  };
}

function opensPolicyPage(req: Request): boolean {
  return (
    `${withoutQuery(req.originalUrl).replace(/\/$/, '')}/` ===
      `/api/auth${PAGE_PATH}` &&
    requestMethod(req) === 'GET' &&
    isPageDestination(req)
  );
}
