import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';

/**
 * Lists the plugins of all backends of the deployment. Goes in July 2027: releases before August 2026 have no rootSystemMetadata.
 *
 * A backend resolves a service by its id, so that this is Backstage's own service if the release has it. `coreServices` may be of a second
 * copy of backend-plugin-api, and name a service that the backend does not have. The fallback are the plugins in `discovery.endpoints`,
 * where Backstage's service finds those of other backends.
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
