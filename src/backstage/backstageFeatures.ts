import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';

// Services that some supported releases lack. A backend resolves a service by its id, so that each reference below gets
// Backstage's own service where the release has it. Elsewhere its default factory is the fallback. Looking at `coreServices`
// would not do: a second copy of backend-plugin-api names services that the backend does not have.

/**
 * Lists the plugins of all backends of the deployment. Goes in July 2027: releases before August 2026 have no rootSystemMetadata.
 *
 * Fallback: the plugins in `discovery.endpoints`, which is where Backstage's service finds those of other backends.
 */
export const rootSystemMetadataServiceRef = createServiceRef<{
  getInstalledPlugins(): Promise<readonly { pluginId: string }[]>;
}>({
  id: 'core.rootSystemMetadata',
  scope: 'root',
  defaultFactory: async service =>
    createServiceFactory({
      service,
      deps: { config: coreServices.rootConfig },
      factory: ({ config }) => ({
        getInstalledPlugins: async () =>
          (config.getOptionalConfigArray('discovery.endpoints') ?? []).flatMap(
            endpoint =>
              endpoint
                .getStringArray('plugins')
                .map(pluginId => ({ pluginId })),
          ),
      }),
    }),
});
