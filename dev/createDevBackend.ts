import { createBackend } from '@backstage/backend-defaults';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  BackendFeature,
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import type { RequestHandler } from 'express';
import { badgePlugin } from './badgePlugin';
import { clockPlugin } from './clockPlugin';
import type { DevConfig } from './config';
import { closedPlugin, docsPlugin, helloPlugin } from './openPlugins';
import { visitorProvider } from './visitorProvider';

/**
 * Creates a backend with the plugins that every backend of `npm start` has, the gate not included.
 *
 * @param options.handlers - run before all else, the gate and Backstage's own middleware included
 */
export function createDevBackend(options: {
  config: DevConfig;
  features?: (BackendFeature | Promise<{ default: BackendFeature }>)[];
  handlers?: RequestHandler[];
}) {
  const { config, features = [], handlers = [] } = options;
  const backend = createBackend();
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => config.load(),
    }),
  );
  backend.add(
    rootHttpRouterServiceFactory({
      configure({ app, applyDefaults }) {
        handlers.forEach(handler => app.use(handler));
        applyDefaults();
      },
    }),
  );
  backend.add(import('@backstage/plugin-auth-backend'));
  backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
  backend.add(import('@backstage/plugin-catalog-backend'));
  backend.add(import('@backstage/plugin-permission-backend'));
  backend.add(
    import('@backstage/plugin-permission-backend-module-allow-all-policy'),
  );
  backend.add(import('@backstage/plugin-proxy-backend'));
  backend.add(import('@backstage/plugin-signals-backend'));
  backend.add(import('@backstage/plugin-techdocs-backend'));
  backend.add(badgePlugin);
  backend.add(clockPlugin);
  backend.add(closedPlugin);
  backend.add(docsPlugin);
  backend.add(helloPlugin);
  backend.add(visitorProvider);
  features.forEach(feature => backend.add(feature));
  return backend;
}
