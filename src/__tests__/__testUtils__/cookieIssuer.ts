import { createBackendModule } from '@backstage/backend-plugin-api';
import { authCookieIssuanceExtensionPoint, CookieIssuer } from '../..';

/** Replaces the issuer of the gate's cookie, as a module of an adopter does. */
export function cookieIssuer(moduleId: string, issuer: CookieIssuer | 'off') {
  return createBackendModule({
    pluginId: 'auth',
    moduleId,
    register(reg) {
      reg.registerInit({
        deps: { issuance: authCookieIssuanceExtensionPoint },
        async init({ issuance }) {
          issuance.setCookieIssuer({ moduleId, issuer });
        },
      });
    },
  });
}
