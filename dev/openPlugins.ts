import {
  coreServices,
  createBackendPlugin,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import { Request, Response, Router } from 'express';

/** A header of every answer that a handler gave: the attack counts them. */
export const HANDLER_HEADER = 'X-Handler';

/** Creates a plugin whose author has opened everything, and that answers every request. The gate closes it all the same. */
function openPlugin(
  pluginId: string,
  handle: (req: Request, res: Response) => void,
  policies: HttpRouterServiceAuthPolicy[] = [],
) {
  return createBackendPlugin({
    pluginId,
    register(reg) {
      reg.registerInit({
        deps: { httpRouter: coreServices.httpRouter },
        async init({ httpRouter }) {
          const router = Router();
          router.use((req, res) => {
            res.setHeader(HANDLER_HEADER, pluginId);
            handle(req, res);
          });
          httpRouter.use(router);
          httpRouter.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
          policies.forEach(policy => httpRouter.addAuthPolicy(policy));
        },
      });
    },
  });
}

export const helloPlugin = openPlugin('hello', (req, res) => {
  const { user } = req as { user?: { identity: { userEntityRef: string } } };
  res.json(
    req.path === '/health'
      ? { status: 'ok' }
      : { hello: user?.identity.userEntityRef ?? 'nobody' },
  );
});

/** The attacks reach for this plugin with Backstage's own cookie, which is accepted below `/static` only. */
export const docsPlugin = openPlugin(
  'docs',
  (_req, res) => {
    res.json({ docs: 'example' });
  },
  [{ path: '/static', allow: 'user-cookie' }],
);
