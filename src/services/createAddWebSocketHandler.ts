import { createWebSocketRouter } from '@backstage/backend-defaults/httpRouter';
import type {
  HttpRouterService,
  RootHttpRouterServiceWebSocketHandler,
} from '@backstage/backend-plugin-api';
import type { createWebSocketGate } from '../gate/createWebSocketGate';

/**
 * Makes a plugin's `addWebSocketHandler` with the gate in front of each handler. Backstage's own handler, which authenticates as the
 * plugin has declared, is the fallback in report-only.
 */
export function createAddWebSocketHandler(
  options: Parameters<typeof createWebSocketRouter>[0] & {
    webSocketGate: ReturnType<typeof createWebSocketGate>;
  },
): HttpRouterService['addWebSocketHandler'] {
  const { auth, pluginId, rootHttpRouter, webSocketGate } = options;
  // In report-only, the gate hands upgrades to Backstage's own handler.
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
