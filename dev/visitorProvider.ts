import { randomUUID } from 'node:crypto';
import { createBackendModule } from '@backstage/backend-plugin-api';
import {
  authProvidersExtensionPoint,
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
} from '@backstage/plugin-auth-node';

/**
 * Signs everybody in, each time as a new user. The page and the attack sign in and out without a click, which must not end a
 * session of the guest.
 */
export const visitorProvider = createBackendModule({
  pluginId: 'auth',
  moduleId: 'visitor-provider',
  register(reg) {
    reg.registerInit({
      deps: { providers: authProvidersExtensionPoint },
      async init({ providers }) {
        providers.registerProvider({
          providerId: 'visitor',
          factory: createProxyAuthProviderFactory({
            authenticator: createProxyAuthenticator({
              defaultProfileTransform: async () => ({ profile: {} }),
              initialize() {},
              authenticate: async () => ({ result: {} }),
            }),
            async signInResolver(_info, ctx) {
              const sub = `user:development/visitor-${randomUUID()}`;
              return ctx.issueToken({ claims: { sub, ent: [sub] } });
            },
          }),
        });
      },
    });
  },
});
