import type {
  LoggerService,
  RootConfigService,
  RootHttpRouterService,
} from '@backstage/backend-plugin-api';
import type { RequestHandler } from 'express';
import type { ApiGate } from '../gate/createApiGate';
import { COOKIE_PATH } from '../http/backstagePaths';
import { createErrorAnswer } from './createErrorAnswer';
import { findServers } from './findServers';

/**
 * Mounts the gate at the root router, and puts it in front of the listeners for upgrades of the backend's HTTP server.
 *
 * @returns a function that stops the search for the server, and refuses all further upgrades
 */
export function mountGate(options: {
  apiGate: Pick<ApiGate, 'handler' | 'upgradeGuard'>;
  config: RootConfigService;
  logger: LoggerService;
  rootHttpRouter: RootHttpRouterService;
}): () => void {
  const { apiGate, config, logger, rootHttpRouter } = options;
  const { handler, upgradeGuard } = apiGate;
  const answerError = createErrorAnswer({ config, logger });
  // A plain function, because a router of Express skips all of its handlers for a target without a path, such as `foo://any/api/x`.
  const gate: RequestHandler = (req, res, next) =>
    handler(req, res, error =>
      error ? answerError(error, req, res, next) : next(),
    );
  rootHttpRouter.use('/api/:gatedPluginId', gate);
  // The root router serves one plugin at `/` too, `app` by default, and so that plugin's cookie endpoint. The endpoint comes in
  // front of all handlers that the plugin's router could check.
  rootHttpRouter.use(COOKIE_PATH, (req, res, next) => {
    req.params = { gatedPluginId: 'app' };
    gate(req, res, next);
  });
  const stopFinding = findServers({
    config,
    mount: gate,
    onFound: server => upgradeGuard.guard(server),
  });
  return () => {
    stopFinding();
    upgradeGuard.stop();
  };
}
