import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { Router } from 'express';

const BADGE = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="20" font-family="sans-serif" font-size="11" fill="#fff">
  <rect width="96" height="20" rx="3" fill="#1f5493"/><rect x="46" width="50" height="20" rx="3" fill="#2e7d5b"/>
  <text x="6" y="14">status</text><text x="54" y="14">passing</text>
</svg>`;

/**
 * A plugin that has opened nothing. An allow rule makes its badge public, at the gate and at the plugin's own credentials
 * barrier.
 */
export const badgePlugin = createBackendPlugin({
  pluginId: 'badge',
  register(reg) {
    reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        const router = Router();
        router.get('/status.svg', (_req, res) => {
          res.type('image/svg+xml').send(BADGE);
        });
        httpRouter.use(router);
      },
    });
  },
});
