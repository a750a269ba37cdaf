import type { Server } from 'node:http';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';

/** Creates a plugin that handles all requests below a path, at the root router: a function there, as the gateway's is. */
export function rootHandler(path: string) {
  const handled: string[] = [];
  const feature = createBackendPlugin({
    pluginId: 'mounting',
    register(reg) {
      reg.registerInit({
        deps: { router: coreServices.rootHttpRouter },
        async init({ router }) {
          router.use(path, (req: Request, res: Response) => {
            handled.push(`${req.method} ${req.url}`);
            res.json({ mounted: true });
          });
        },
      });
    },
  });
  return { feature, handled };
}

/** Creates Backstage's own root router, and hands out its server before that listens. */
export const rootRouterWith = (onServer: (server: Server) => void) =>
  rootHttpRouterServiceFactory({
    configure({ applyDefaults, server }) {
      applyDefaults();
      onServer(server as unknown as Server);
    },
  });
