import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import type { AuthService } from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { decodeToken, tokenOf } from '../../gate/read/token';
import type { TokenCache } from '../../gate/verify/TokenCache';
import { VERIFIED } from './tokens';

/**
 * Makes what verifies tokens for the plugin `here`, and Backstage's own `httpAuth` over it as the module does. The `auth` below them
 * reports each token that verifies.
 */
export function createHttpAuth(
  tokens: TokenCache,
  verified: (text: string) => void,
) {
  const auth = {
    authenticate: async (text: string, { allowLimitedAccess = false } = {}) => {
      const isLimited = decodeToken(text)?.typ === 'vnd.backstage.limited-user';
      const principal =
        (!isLimited || allowLimitedAccess) && VERIFIED.get(text);
      if (!principal || principal instanceof Error) {
        throw principal || new AuthenticationError('Invalid');
      }
      verified(text);
      return { principal, token: text };
    },
    getNoneCredentials: async () => ({ principal: { type: 'none' } }),
    isPrincipal: ({ principal }: any, type: string) => principal.type === type,
  } as unknown as AuthService;
  const verifier = tokens.verifierFor(auth, 'here');
  const httpAuth = DefaultHttpAuthService.create({
    auth: {
      ...auth,
      authenticate: (text, options) =>
        verifier.find(tokens.read(text), options),
    },
    discovery: {} as never,
    pluginId: 'here',
    getTokenFromRequest: req => ({ token: tokenOf(req) }),
  });
  return { httpAuth, readsBoundTokens: true, verifier };
}
