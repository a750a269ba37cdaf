import {
  coreServices,
  createBackendPlugin,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import { Request, Response, Router } from 'express';

/** A header of every answer that a handler gave: the attack counts them. */
export const HANDLER_HEADER = 'X-Handler';

/** Opens all paths of a plugin. The gate closes them all the same. */
const EVERYTHING = { path: '/', allow: 'unauthenticated' } as const;

/** Creates a plugin that answers every request which arrives, with what its author has opened. */
function answeringPlugin(
  pluginId: string,
  handle: (req: Request, res: Response) => void,
  policies: HttpRouterServiceAuthPolicy[],
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
          policies.forEach(policy => httpRouter.addAuthPolicy(policy));
        },
      });
    },
  });
}

export const helloPlugin = answeringPlugin(
  'hello',
  (req, res) => {
    const { user } = req as { user?: { identity: { userEntityRef: string } } };
    res.json(
      req.path === '/health'
        ? { status: 'ok' }
        : { hello: user?.identity.userEntityRef ?? 'nobody' },
    );
  },
  [EVERYTHING],
);

/** The attacks reach for this plugin with Backstage's own cookie, which is accepted below `/static` only. */
export const docsPlugin = answeringPlugin(
  'docs',
  (_req, res) => {
    res.json({ docs: 'example' });
  },
  [EVERYTHING, { path: '/static', allow: 'user-cookie' }],
);

/** A plugin that opens nothing. Backstage protects it, with the gate and without. */
export const closedPlugin = answeringPlugin(
  'closed',
  (_req, res) => {
    res.json({ closed: 'reached' });
  },
  [],
);
