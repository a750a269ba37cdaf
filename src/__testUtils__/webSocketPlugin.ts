import type { IncomingHttpHeaders } from 'node:http';
import {
  BackstageCredentials,
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { Router } from 'express';
import { WebSocketServer } from 'ws';

/** An upgrade that reached a WebSocket handler. */
export interface HandledUpgrade {
  path: string;
  credentials: BackstageCredentials;
  authProtocol: string | undefined;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
}

/**
 * A plugin with WebSocket handlers, which send `hello` and keep what reached them. Its other routes answer 200 to everybody
 * whom its barrier lets through.
 *
 * @param handlers - what each declares, by path
 * @param init - runs at the end of the plugin's own `init`
 */
export function webSocketPlugin(
  pluginId: string,
  handlers: Record<string, 'unauthenticated' | undefined>,
  init?: () => Promise<void> | void,
) {
  const handled: HandledUpgrade[] = [];
  const server = new WebSocketServer({ noServer: true });
  const feature = createBackendPlugin({
    pluginId,
    register(reg) {
      reg.registerInit({
        deps: { httpRouter: coreServices.httpRouter },
        async init({ httpRouter }) {
          for (const [path, authPolicy] of Object.entries(handlers)) {
            httpRouter.addWebSocketHandler({
              path,
              authPolicy,
              handler({ request, socket, head, credentials, authProtocol }) {
                const { headers, rawHeaders } = request;
                handled.push({
                  path,
                  credentials,
                  authProtocol,
                  headers: { ...headers },
                  rawHeaders: [...rawHeaders],
                });
                server.handleUpgrade(request, socket, head, client =>
                  client.send('hello'),
                );
              },
            });
          }
          const router = Router();
          router.use((_req, res) => {
            res.json({ plugin: pluginId });
          });
          httpRouter.use(router);
          await init?.();
        },
      });
    },
  });
  return { feature, handled };
}
