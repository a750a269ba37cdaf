import {
  createWebSocketRouter,
  httpRouterServiceFactory,
} from '@backstage/backend-defaults/httpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  HttpRouterService,
  RootHttpRouterServiceWebSocketHandler,
  ServiceFactory,
} from '@backstage/backend-plugin-api';
import { requireGateDecision } from '../gate/requireGateDecision';
import { apiGateServiceRef } from './apiGateService';
import type { GateParts } from './createParts';

const defaultHttpRouterServiceRef = createServiceRef<HttpRouterService>({
  id: 'auth.apiGate.defaultHttpRouter',
  scope: 'plugin',
});

/**
 * Backstage's own `httpRouter` under a name of ours. `lazy`: an app that brings its own never makes this one, whose mount
 * would conflict with the other.
 */
export const defaultHttpRouterServiceFactory = {
  ...httpRouterServiceFactory,
  service: defaultHttpRouterServiceRef,
  initialization: 'lazy',
} as ServiceFactory;

/**
 * Backstage's own `httpRouter`, watched: the gate records what plugins open themselves, and checks its decision once more in front
 * of each plugin's routes.
 */
export const gatedHttpRouterServiceFactory = createServiceFactory({
  service: coreServices.httpRouter,
  initialization: 'always',
  deps: {
    gate: apiGateServiceRef,
    auth: coreServices.auth,
    config: coreServices.rootConfig,
    lifecycle: coreServices.lifecycle,
    logger: coreServices.logger,
    plugin: coreServices.pluginMetadata,
    rootHttpRouter: coreServices.rootHttpRouter,
    httpRouter: defaultHttpRouterServiceRef,
  },
  factory({ gate, plugin, httpRouter, ...services }) {
    const pluginId = plugin.getId();
    // The root router serves the frontend a second time, at `/`.
    if (pluginId !== 'app') {
      httpRouter.use(requireGateDecision(pluginId, gate));
    }
    const { policies, webSocketGate } = gate;
    return policies.watch(pluginId, {
      ...httpRouter,
      // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
      ...('addWebSocketHandler' in httpRouter && {
        addWebSocketHandler: createAddWebSocketHandler({
          ...services,
          pluginId,
          webSocketGate,
        }),
      }),
    });
  },
});

/**
 * Makes a plugin's `addWebSocketHandler` with the gate in front of each handler. Backstage's own handler, which authenticates as the
 * plugin has declared, is the fallback in report-only.
 */
function createAddWebSocketHandler(
  options: Parameters<typeof createWebSocketRouter>[0] &
    Pick<GateParts, 'webSocketGate'>,
): HttpRouterService['addWebSocketHandler'] {
  const { auth, pluginId, rootHttpRouter, webSocketGate } = options;
  let backstageHandler!: RootHttpRouterServiceWebSocketHandler;
  const registerWithBackstage = createWebSocketRouter({
    ...options,
    rootHttpRouter: {
      use: () => {},
      addWebSocketHandler: handler => {
        backstageHandler = handler;
      },
    },
  });
  return declared => {
    registerWithBackstage(declared);
    rootHttpRouter.addWebSocketHandler({
      path: backstageHandler.path,
      handler: webSocketGate({
        pluginId,
        auth,
        declared,
        backstageHandler: backstageHandler.handler,
      }),
    });
  };
}
