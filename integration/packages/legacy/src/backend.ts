import {
  CacheManager,
  createLegacyAuthAdapters,
  createServiceBuilder,
  DatabaseManager,
  getRootLogger,
  HostDiscovery,
  notFoundHandler,
  ServerTokenManager,
} from '@backstage/backend-common';
import type { UrlReaderService } from '@backstage/backend-plugin-api';
import type { Config } from '@backstage/config';
import { createRouter as createAuthRouter } from '@backstage/plugin-auth-backend';
import {
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
  DefaultIdentityClient,
} from '@backstage/plugin-auth-node';
import { CatalogBuilder } from '@backstage/plugin-catalog-backend';
import { ServerPermissionClient } from '@backstage/plugin-permission-node';
import { createRouter as createProxyRouter } from '@backstage/plugin-proxy-backend';
import { createRouter as createTechDocsRouter } from '@backstage/plugin-techdocs-backend';
import { Publisher } from '@backstage/plugin-techdocs-node';
import {
  createLegacyApiGate,
  LegacyApiGate,
} from 'backstage-plugin-auth-backend-module-api-gate/legacy';
import { RequestHandler, Router } from 'express';

type PluginEnvironment = ReturnType<ReturnType<typeof makeCreateEnv>>;

/** Works like `packages/backend/src/index.ts` of a legacy backend. */
function makeCreateEnv(config: Config) {
  const root = getRootLogger();
  const discovery = HostDiscovery.fromConfig(config);
  const cacheManager = CacheManager.fromConfig(config);
  const databaseManager = DatabaseManager.fromConfig(config, { logger: root });
  const tokenManager = ServerTokenManager.fromConfig(config, { logger: root });
  const identity = DefaultIdentityClient.create({ discovery });
  const { auth } = createLegacyAuthAdapters<any, any>({
    discovery,
    identity,
    tokenManager,
  });
  const permissions = ServerPermissionClient.fromConfig(config, {
    discovery,
    auth,
  });
  return (plugin: string) => ({
    logger: root.child({ type: 'plugin', plugin }),
    cache: cacheManager.forPlugin(plugin),
    database: databaseManager.forPlugin(plugin),
    config,
    discovery,
    identity,
    permissions,
    tokenManager,
  });
}

/** The guest provider of the legacy system: it signs anybody in, `?as=<name>`, with a real token. */
const guest = createProxyAuthProviderFactory({
  authenticator: createProxyAuthenticator({
    defaultProfileTransform: async () => ({ profile: {} }),
    initialize() {},
    authenticate: async ({ req }) => ({ result: req.query.as ?? 'guest' }),
  }),
  signInResolver: ({ result }, context) =>
    context.issueToken({
      claims: { sub: `user:default/${result}`, ent: ['group:default/guests'] },
    }),
});

function auth(env: PluginEnvironment) {
  return createAuthRouter({ ...env, providerFactories: { guest } });
}

async function catalog(env: PluginEnvironment) {
  // The catalog reads no location here.
  const reader = {} as UrlReaderService;
  const { router } = await CatalogBuilder.create({ ...env, reader }).build();
  return router;
}

async function techdocs(env: PluginEnvironment) {
  const publisher = await Publisher.fromConfig(env.config, env);
  return createTechDocsRouter({ ...env, publisher });
}

/** The place of the gate: in front of each plugin, or once in front of all. */
export type Placement = 'each-plugin' | 'api-router';

/** Returns the names that `packages/backend/src/index.ts` of a legacy backend has where it makes its router. */
export function createNames(config: Config) {
  const createEnv = makeCreateEnv(config);
  return {
    Router,
    notFoundHandler,
    auth,
    catalog,
    techdocs,
    proxy: createProxyRouter,
    authEnv: createEnv('auth'),
    catalogEnv: createEnv('catalog'),
    techdocsEnv: createEnv('techdocs'),
    proxyEnv: createEnv('proxy'),
  };
}

/** Starts a backend on the legacy system with the router of `/api`. */
export async function serveApi(
  config: Config,
  router: RequestHandler,
): Promise<{ stop(): Promise<void> }> {
  const server = await createServiceBuilder(module)
    .loadConfig(config)
    .addRouter('/api', router)
    .start();
  return {
    stop: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Starts a backend on the legacy system, with the gate. */
export async function startLegacyBackend(options: {
  config: Config;
  placement: Placement;
  /** The router of the adopter's own plugin, `todo`. */
  todo: RequestHandler;
  /** Default: the environment of the `auth` plugin, as in the README. */
  gateEnv?: (
    env: PluginEnvironment,
  ) => Parameters<typeof createLegacyApiGate>[0];
}) {
  const { config, placement, todo, gateEnv = env => env } = options;
  const createEnv = makeCreateEnv(config);
  const authEnv = createEnv('auth');
  const gate = await createLegacyApiGate(gateEnv(authEnv));
  const plugins = {
    auth: await auth(authEnv),
    catalog: await catalog(createEnv('catalog')),
    proxy: await createProxyRouter(createEnv('proxy')),
    techdocs: await techdocs(createEnv('techdocs')),
    todo,
  };

  const router = createApiRouter(plugins, gate, placement);
  const { stop } = await serveApi(config, router);
  return {
    tokenManager: authEnv.tokenManager,
    database: authEnv.database,
    stop,
  };
}

function createApiRouter(
  plugins: Record<string, RequestHandler>,
  gate: LegacyApiGate,
  placement: Placement,
) {
  const apiRouter = Router();
  if (placement === 'api-router') {
    apiRouter.use(gate());
    for (const [id, router] of Object.entries(plugins)) {
      apiRouter.use(`/${id}`, router);
    }
    apiRouter.use(notFoundHandler());
  } else {
    for (const [id, router] of Object.entries(plugins)) {
      apiRouter.use(`/${id}`, gate(id), router);
    }
    apiRouter.use(gate(), notFoundHandler());
  }
  return apiRouter;
}
