import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  AuthProviderFactory,
  AuthProviderRouteHandlers,
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

/** Adds a provider whose routes all answer alike. */
export const answeringProvider = (
  providerId: string,
  answer: AuthProviderRouteHandlers['start'],
) =>
  authProvider(providerId, () => ({
    start: answer,
    frameHandler: answer,
    logout: answer,
  }));
