// Starts the backend that create-app makes, but for SQLite in place of PostgreSQL, with the packed gate and a plugin that asks for tokens of services.
const { createBackend } = require('@backstage/backend-defaults');
const {
  coreServices,
  createBackendPlugin,
} = require('@backstage/backend-plugin-api');
const { Router } = require('express');

const { file, plugins } = JSON.parse(process.env.BACKEND_CONFIG);
process.argv.push('--config', file);
process.once('disconnect', () => process.exit());

/** Answers with a token of its own for another plugin. */
const caller = createBackendPlugin({
  pluginId: 'caller',
  register(reg) {
    reg.registerInit({
      deps: { auth: coreServices.auth, httpRouter: coreServices.httpRouter },
      async init({ auth, httpRouter }) {
        const router = Router();
        router.get('/public', (_req, res) => res.json({}));
        router.get('/token-for/:targetPluginId', async (req, res) => {
          const onBehalfOf = await auth.getOwnServiceCredentials();
          const { targetPluginId } = req.params;
          res.json(
            await auth.getPluginRequestToken({ onBehalfOf, targetPluginId }),
          );
        });
        httpRouter.use(router);
      },
    });
  },
});

const backend = createBackend();
for (const name of plugins) {
  backend.add(import(name));
}
backend.add(caller);
backend.start().then(
  () => process.send('started'),
  error => {
    console.error(error);
    process.exit(1);
  },
);
