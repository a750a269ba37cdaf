import { createBackend } from '@backstage/backend-defaults';
import {
  BackendFeature,
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';

/** The configuration that `BackendProcess` passes to a child. */
export const childConfig = (): JsonObject =>
  JSON.parse(process.env.BACKEND_CONFIG!);

/**
 * Creates a backend with Backstage's default services and other features.
 *
 * @param config - `undefined` if one of the features reads the configuration
 * @param options.withAuth - whether to add the real `auth` plugin and the guest provider. Default: true
 */
export function createChildBackend(
  config: JsonObject | undefined,
  features: (BackendFeature | Promise<{ default: BackendFeature }>)[],
  { withAuth = true } = {},
) {
  const backend = createBackend();
  if (config) {
    backend.add(
      createServiceFactory({
        service: coreServices.rootConfig,
        deps: {},
        factory: () => new ConfigReader(config),
      }),
    );
  }
  if (withAuth) {
    backend.add(import('@backstage/plugin-auth-backend'));
    backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
  }
  features.forEach(feature => backend.add(feature));
  return backend;
}
