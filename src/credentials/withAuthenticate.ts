import type { AuthService } from '@backstage/backend-plugin-api';

/** Returns a plugin's `auth` with another `authenticate`; all other methods stay the same. */
export function withAuthenticate(
  auth: AuthService,
  authenticate: AuthService['authenticate'],
): AuthService {
  return {
    authenticate,
    getLimitedUserToken: credentials => auth.getLimitedUserToken(credentials),
    getNoneCredentials: () => auth.getNoneCredentials(),
    getOwnServiceCredentials: () => auth.getOwnServiceCredentials(),
    getPluginRequestToken: options => auth.getPluginRequestToken(options),
    isPrincipal: auth.isPrincipal.bind(auth) as AuthService['isPrincipal'],
    listPublicServiceKeys: () => auth.listPublicServiceKeys(),
  };
}
