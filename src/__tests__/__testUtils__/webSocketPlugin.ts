import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  BackstageCredentials,
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { RequestHandler, Router } from 'express';
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
 * Listens for upgrades from a first request on. Goes in October 2027: releases before November 2026 have no WebSocket handlers.
 */
function listenAtServer(
  listener: (req: IncomingMessage, socket: Duplex, head: Buffer) => void,
): RequestHandler {
  const servers = new WeakSet<Server>();
  return (req, _res, next) => {
    const { server } = req.socket as unknown as { server: Server };
    if (!servers.has(server)) {
      servers.add(server);
      server.on('upgrade', listener);
    }
    next();
  };
}

/**
 * Creates a plugin with WebSocket handlers, which send `hello` and record the upgrades that reached them. Its other routes answer
 * 200 to every request that passes its credentials barrier.
 *
 * @param handlers - the declaration of each handler, by path; where releases have no handlers, they begin with a first request
 * @param init - runs at the end of the plugin's own `init`
 */
export function webSocketPlugin(
  pluginId: string,
  handlers: Record<string, 'unauthenticated' | undefined>,
  init?: () => Promise<void> | void,
) {
  const handled: HandledUpgrade[] = [];
  const server = new WebSocketServer({ noServer: true });
  const handle = (
    known: Pick<HandledUpgrade, 'path'> & Partial<HandledUpgrade>,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
  ) => {
    const { headers, rawHeaders } = request;
    handled.push({
      ...(known as HandledUpgrade),
      headers: { ...headers },
      rawHeaders: [...rawHeaders],
    });
    server.handleUpgrade(request, socket, head, client => client.send('hello'));
  };
  const feature = createBackendPlugin({
    pluginId,
    register(reg) {
      reg.registerInit({
        deps: { httpRouter: coreServices.httpRouter },
        async init({ httpRouter }) {
          const router = Router();
          if ('addWebSocketHandler' in httpRouter) {
            for (const [path, authPolicy] of Object.entries(handlers)) {
              httpRouter.addWebSocketHandler({
                path,
                authPolicy,
                handler: ({ request, socket, head, ...context }) =>
                  handle({ path, ...context }, request, socket, head),
              });
            }
          } else {
            router.use(
              listenAtServer((request, socket, head) => {
                const path = request.url
                  ?.replace(`/api/${pluginId}`, '')
                  .replace(/\?.*/, '');
                if (path && path in handlers) {
                  handle({ path }, request, socket, head);
                }
              }),
            );
          }
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
