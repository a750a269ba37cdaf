import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { Router } from 'express';

/** A plugin whose author has opened everything. The gate closes it all the same. */
export const helloPlugin = createBackendPlugin({
  pluginId: 'hello',
  register(reg) {
    reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        const router = Router();
        router.get('/data', (req, res) => {
          const { user } = req as {
            user?: { identity: { userEntityRef: string } };
          };
          res.json({ hello: user?.identity.userEntityRef ?? 'nobody' });
        });
        router.get('/health', (_req, res) => {
          res.json({ status: 'ok' });
        });
        httpRouter.use(router);
        httpRouter.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
      },
    });
  },
});
