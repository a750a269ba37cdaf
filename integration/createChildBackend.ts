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

/** Creates a backend with Backstage's default services, the real `auth` plugin with the guest provider, and other features. */
export function createChildBackend(
  config: JsonObject,
  features: (BackendFeature | Promise<{ default: BackendFeature }>)[],
) {
  const backend = createBackend();
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => new ConfigReader(config),
    }),
  );
  backend.add(import('@backstage/plugin-auth-backend'));
  backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
  features.forEach(feature => backend.add(feature));
  return backend;
}
