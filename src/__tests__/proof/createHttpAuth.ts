import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import { AuthenticationError } from '@backstage/errors';
import { decodeToken, tokenOf } from '../../gate/read/token';
import { CachingHttpAuth } from '../../gate/verify/CachingHttpAuth';
import type { TokenCache } from '../../gate/verify/TokenCache';
import { VERIFIED } from './tokens';

/** Makes Backstage's own `httpAuth` of the plugin `here` as the module does, over an `auth` that reports each token that verifies. */
export function createHttpAuth(
  tokens: TokenCache,
  verified: (text: string) => void,
): CachingHttpAuth {
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
  };
  return new CachingHttpAuth(
    DefaultHttpAuthService.create({
      auth: tokens.wrap(auth as never, 'here'),
      discovery: {} as never,
      pluginId: 'here',
      getTokenFromRequest: req => ({ token: tokenOf(req) }),
    }),
    tokens,
    'here',
  );
}
