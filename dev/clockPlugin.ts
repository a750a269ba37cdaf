import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { signalsServiceRef } from '@backstage/plugin-signals-node';
import { WebSocketServer } from 'ws';

const INTERVAL_MS = 1_000;

/**
 * Sends the time to everybody who listens on the channel `clock` of signals, and over a WebSocket of its own, which it has
 * opened to everybody.
 */
export const clockPlugin = createBackendPlugin({
  pluginId: 'clock',
  register(reg) {
    reg.registerInit({
      deps: {
        httpRouter: coreServices.httpRouter,
        lifecycle: coreServices.lifecycle,
        signals: signalsServiceRef,
      },
      async init({ httpRouter, lifecycle, signals }) {
        const listeners = new WebSocketServer({ noServer: true });
        httpRouter.addWebSocketHandler({
          path: '/live',
          authPolicy: 'unauthenticated',
          handler: ({ request, socket, head }) =>
            listeners.handleUpgrade(request, socket, head, client =>
              client.send(new Date().toISOString()),
            ),
        });
        const timer = setInterval(() => {
          const time = new Date().toISOString();
          listeners.clients.forEach(client => client.send(time));
          signals.publish({
            recipients: { type: 'broadcast' },
            channel: 'clock',
            message: { time },
          });
        }, INTERVAL_MS);
        lifecycle.addShutdownHook(() => clearInterval(timer));
      },
    });
  },
});
