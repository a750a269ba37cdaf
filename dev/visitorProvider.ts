import { randomUUID } from 'node:crypto';
import {
  createProxyAuthenticator,
  createProxyAuthProviderFactory,
} from '@backstage/plugin-auth-node';
import { authProvider } from '../src/__tests__/__testUtils__/authProvider';

/**
 * Signs everybody in, each time as a new user. The page and the attack sign in and out without a click, which must not end a
 * session of the guest.
 */
export const visitorProvider = authProvider(
  'visitor',
  createProxyAuthProviderFactory({
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
);
