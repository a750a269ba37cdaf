import { createWebSocketRouter } from '@backstage/backend-defaults/httpRouter';
import type {
  HttpRouterService,
  RootHttpRouterServiceWebSocketHandler,
} from '@backstage/backend-plugin-api';
import type { createWebSocketGate } from '../gate/createWebSocketGate';

/**
 * A plugin's `addWebSocketHandler` with the gate in front. What Backstage would have registered for a handler, which judges by
 * what the plugin declares, is handed to the gate: report-only ends there.
 */
export function createAddWebSocketHandler(
  options: Parameters<typeof createWebSocketRouter>[0] & {
    webSocketGate: ReturnType<typeof createWebSocketGate>;
  },
): HttpRouterService['addWebSocketHandler'] {
  const { auth, pluginId, rootHttpRouter, webSocketGate } = options;
  let stock!: RootHttpRouterServiceWebSocketHandler;
  const addToStock = createWebSocketRouter({
    ...options,
    rootHttpRouter: {
      use: () => {},
      addWebSocketHandler: handler => {
        stock = handler;
      },
    },
  });
  return declared => {
    addToStock(declared);
    rootHttpRouter.addWebSocketHandler({
      path: stock.path,
      handler: webSocketGate({
        pluginId,
        auth,
        declared,
        defaultHandler: stock.handler,
      }),
    });
  };
}
