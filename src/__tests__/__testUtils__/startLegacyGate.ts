import diagnosticsChannel from 'node:diagnostics_channel';
import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import type {
  DiscoveryService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import express, { Request, Router } from 'express';
import {
  createLegacyApiGate,
  LegacyApiGate,
  LegacyApiGateOptions,
} from '../../backstage/legacy';
import { createReloadableConfig } from './reloadableConfig';
import { serve } from './serve';

/** The one service token that the gate's `tokenManager` accepts. */
export const SERVICE_TOKEN = 'service';

/** Discovery with unreachable addresses, so that the keys of users can't be fetched. */
export const discoveryWithoutKeys: DiscoveryService = {
  getBaseUrl: async id => `http://localhost:1/api/${id}`,
  getExternalBaseUrl: async id => `http://localhost/api/${id}`,
};

export interface RunningLegacyGate {
  port: number;
  /** The paths that reached the plugin's handler. */
  handled: string[];
  log: string[];
  /** Changes `auth.apiGate`, as an edit of a watched file does. */
  change(apiGate: JsonObject): void;
  stop(): void;
}

/** Starts the gate of the legacy entry point on a real port, in an app of Express alone. `integration/packages/legacy` has whole backends. */
export async function startLegacyGate(options: {
  apiGate?: JsonObject;
  /** Settings of `backend`, besides its `baseUrl`. */
  backend?: JsonObject;
  /** Mounts the gate. Default: in front of a plugin `pub`, and of all other paths. */
  mount?: (apiRouter: Router, gate: LegacyApiGate) => void;
  /** Replaces the services that accept {@link SERVICE_TOKEN} and no user. */
  env?: Partial<LegacyApiGateOptions>;
}): Promise<RunningLegacyGate> {
  const handled: string[] = [];
  const log: string[] = [];
  const record = (message: string, meta?: unknown) => {
    log.push(meta ? `${message} ${JSON.stringify(meta)}` : message);
  };
  const logger: LoggerService = {
    error: record,
    warn: record,
    info: record,
    debug: record,
    child: meta => {
      record('child', meta);
      return logger;
    },
  };
  const withGate = (apiGate: JsonObject) => ({
    backend: { baseUrl: 'http://localhost', ...options.backend },
    auth: { apiGate },
  });
  const { config, change } = createReloadableConfig(
    withGate(options.apiGate ?? {}),
  );
  const subscribing = jest.spyOn(diagnosticsChannel, 'subscribe');
  const gate = await createLegacyApiGate({
    config,
    logger,
    discovery: discoveryWithoutKeys,
    identity: {
      getIdentity: async () => undefined,
    },
    tokenManager: {
      authenticate: async token => {
        if (token !== SERVICE_TOKEN) {
          throw new Error('Invalid server token');
        }
      },
    },
    ...options.env,
  });
  const subscription = subscribing.mock.calls.find(
    ([channel]) => channel === 'net.server.socket',
  )!;
  subscribing.mockRestore();

  const apiRouter = Router();
  const handler = (req: Request, res: express.Response) => {
    handled.push(req.path);
    res.json({});
  };
  if (options.mount) {
    options.mount(apiRouter, gate);
  } else {
    apiRouter.use('/pub', gate('pub'), handler);
    apiRouter.use(gate());
  }
  const app = express();
  app.use('/api', apiRouter);
  // `errorHandler` of `@backstage/backend-common` uses this middleware.
  app.use(MiddlewareFactory.create({ config, logger }).error());
  const { port, stop } = await serve(app);
  return {
    port,
    handled,
    log,
    change: apiGate => change(withGate(apiGate)),
    stop() {
      // The gate stays subscribed for as long as its process runs. The process of a test goes on to the next file.
      diagnosticsChannel.unsubscribe(...subscription);
      stop();
    },
  };
}
