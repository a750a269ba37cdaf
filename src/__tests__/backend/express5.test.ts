import './apiGate.test';
import './narrowRules.test';
import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import express from 'express';
import {
  express5,
  pluginExpress,
  recordingPlugin,
} from '../__testUtils__/recordingPlugin';
import { bearer } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';

// This file runs both files above with plugins whose routers are Express 5's.
Object.assign(pluginExpress, { json: express5.json, Router: express5.Router });

const backends = signedBackends();

it('[P1] refuses a path that Express 5 alone serves, without a credential or a rule', async () => {
  let handled = 0;
  const pluginOf = (pluginId: string, { Router }: typeof pluginExpress) =>
    createBackendPlugin({
      pluginId,
      register(reg) {
        reg.registerInit({
          deps: { httpRouter: coreServices.httpRouter },
          async init({ httpRouter }) {
            httpRouter.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
            const router = Router();
            router.get('/between/:from-:to', (_req, res) => {
              handled += 1;
              res.json({});
            });
            httpRouter.use(router);
          },
        });
      },
    });
  const hello = recordingPlugin('hello');
  const { change, statusOf, sign } = await backends.start({
    features: [
      hello.feature,
      ...[pluginOf('four', express), pluginOf('five', express5)],
    ],
  });
  // So have the plugins of both files above.
  expect(hello.hasExpress5).toBe(true);
  const statuses = async (...headerLines: string[]) => [
    await statusOf('/api/four/between/a--', ...headerLines),
    await statusOf('/api/five/between/a--', ...headerLines),
  ];
  expect([await statuses(), handled]).toEqual([[401, 401], 0]);
  // In Express 4, no parameter contains the dash that ends another one.
  expect(await statuses(bearer(await sign()))).toEqual([404, 200]);
  const allow = ['four', 'five'].map(plugin => ({
    plugin,
    path: '/between/*',
  }));
  change({ apiGate: { allow } });
  expect([await statuses(), handled]).toEqual([[404, 200], 2]);
});
