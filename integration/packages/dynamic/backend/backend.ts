// Runs a backend that is put together as that of Red Hat Developer Hub, of which this was read: redhat-developer/rhdh at commit
// fadb2c2 of 21 August 2026 (version 2.0.0 in development, Backstage 1.52), `packages/backend/src/index.ts` and
// `packages/backend/src/defaultServiceFactories.ts`. Left out are the plugins that need a frontend, isolated-vm or packages of its own.
import { createBackend } from '@backstage/backend-defaults';
import {
  actionsRegistryServiceFactory,
  actionsServiceFactory,
  metricsServiceFactory,
} from '@backstage/backend-defaults/alpha';
import { auditorServiceFactory } from '@backstage/backend-defaults/auditor';
import { authServiceFactory } from '@backstage/backend-defaults/auth';
import { cacheServiceFactory } from '@backstage/backend-defaults/cache';
import { databaseServiceFactory } from '@backstage/backend-defaults/database';
import { discoveryServiceFactory } from '@backstage/backend-defaults/discovery';
import { httpAuthServiceFactory } from '@backstage/backend-defaults/httpAuth';
import { httpRouterServiceFactory } from '@backstage/backend-defaults/httpRouter';
import { lifecycleServiceFactory } from '@backstage/backend-defaults/lifecycle';
import { loggerServiceFactory } from '@backstage/backend-defaults/logger';
import { permissionsServiceFactory } from '@backstage/backend-defaults/permissions';
import { permissionsRegistryServiceFactory } from '@backstage/backend-defaults/permissionsRegistry';
import { rootConfigServiceFactory } from '@backstage/backend-defaults/rootConfig';
import { rootHealthServiceFactory } from '@backstage/backend-defaults/rootHealth';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { rootLifecycleServiceFactory } from '@backstage/backend-defaults/rootLifecycle';
import { rootLoggerServiceFactory } from '@backstage/backend-defaults/rootLogger';
import { schedulerServiceFactory } from '@backstage/backend-defaults/scheduler';
import { urlReaderServiceFactory } from '@backstage/backend-defaults/urlReader';
import { userInfoServiceFactory } from '@backstage/backend-defaults/userInfo';
import {
  CommonJSModuleLoader,
  dynamicPluginsFeatureLoader,
  dynamicPluginsFrontendServiceRef,
  DynamicPluginsSchemasService,
} from '@backstage/backend-dynamic-feature-service';
import {
  createBackendPlugin,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import { loadConfigSchema } from '@backstage/config-loader';
import { eventsServiceFactory } from '@backstage/plugin-events-node';
import { runAsChild } from '../../../runAsChild';

const { configFiles } = JSON.parse(process.env.BACKEND_CONFIG!);
for (const file of configFiles) {
  process.argv.push('--config', file);
}

const backend = createBackend();

const factories = [
  auditorServiceFactory,
  authServiceFactory,
  cacheServiceFactory,
  rootConfigServiceFactory,
  databaseServiceFactory,
  discoveryServiceFactory,
  httpAuthServiceFactory,
  httpRouterServiceFactory,
  lifecycleServiceFactory,
  loggerServiceFactory,
  permissionsServiceFactory,
  permissionsRegistryServiceFactory,
  rootHealthServiceFactory,
  rootHttpRouterServiceFactory,
  rootLifecycleServiceFactory,
  rootLoggerServiceFactory,
  schedulerServiceFactory,
  userInfoServiceFactory,
  urlReaderServiceFactory,
  eventsServiceFactory,
  actionsRegistryServiceFactory,
  actionsServiceFactory,
  metricsServiceFactory,
];

/** Whether a variable leaves this factory to a dynamic plugin. The first dot of the service's id only is replaced, as there. */
function mayBeOverridden(id: string): boolean {
  const name = `ENABLE_${id.toUpperCase().replace('.', '_')}_OVERRIDE`;
  return process.env[name]?.toLowerCase() === 'true';
}

factories
  .filter(({ service }) => !mayBeOverridden(service.id))
  .forEach(factory => backend.add(factory));

backend.add(
  dynamicPluginsFeatureLoader({
    schemaLocator: () => 'dist/configSchema.json',
    moduleLoader: logger => new CommonJSModuleLoader({ logger }),
  }),
);
backend.add(
  createServiceFactory({
    service: dynamicPluginsFrontendServiceRef,
    deps: {},
    factory: () => ({ setResolverProvider() {} }),
  }),
);
backend.add(import('@backstage/plugin-catalog-backend'));
backend.add(import('@backstage/plugin-proxy-backend'));
backend.add(import('@backstage/plugin-permission-backend'));
backend.add(
  import('@backstage/plugin-permission-backend-module-allow-all-policy'),
);
backend.add(import('@backstage/plugin-auth-backend'));

/** The feature service does not export the reference. The plugin `app`, which reads the schema for the frontend, has it from there. */
const schemasServiceRef = createServiceRef<DynamicPluginsSchemasService>({
  id: 'core.dynamicplugins.schemas',
  scope: 'root',
});
let schemas: DynamicPluginsSchemasService;
backend.add(
  createBackendPlugin({
    pluginId: 'schema-reader',
    register(reg) {
      reg.registerInit({
        deps: { schemas: schemasServiceRef },
        async init(deps) {
          ({ schemas } = deps);
        },
      });
    },
  }),
);

// As there, nothing waits for the start or handles its error.
const started = backend.start();
const start: typeof backend.start = () =>
  new Promise(resolve => started.then(resolve));

runAsChild(Object.assign(backend, { start }), {
  /** Returns what a frontend gets of a configuration, and the errors of the schema. */
  async schema({ data }) {
    const { schema } = await schemas.addDynamicPluginsSchemas(
      await loadConfigSchema({ dependencies: [] }),
    );
    const configs = [{ context: 'app-config.yaml', data }];
    const [{ data: frontend }] = schema.process(configs, {
      visibility: ['frontend'],
      ignoreSchemaErrors: true,
    });
    try {
      schema.process(configs);
      return { frontend, errors: [] };
    } catch (error) {
      return { frontend, errors: (error as { messages: string[] }).messages };
    }
  },
});
