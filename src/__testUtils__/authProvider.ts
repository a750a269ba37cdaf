import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  AuthProviderFactory,
  authProvidersExtensionPoint,
} from '@backstage/plugin-auth-node';

/** Adds a provider to the `auth` plugin. */
export function authProvider(providerId: string, factory: AuthProviderFactory) {
  return createBackendModule({
    pluginId: 'auth',
    moduleId: `${providerId}-provider`,
    register(reg) {
      reg.registerInit({
        deps: { providers: authProvidersExtensionPoint },
        async init({ providers }) {
          providers.registerProvider({ providerId, factory });
        },
      });
    },
  });
}
