import type { AuthService } from '@backstage/backend-plugin-api';

/** A plugin's `auth` with another `authenticate`; it is the same in all else. */
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
