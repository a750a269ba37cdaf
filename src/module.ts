import { createBackendModule } from '@backstage/backend-plugin-api';
import { ConflictError } from '@backstage/errors';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { authCookieIssuanceExtensionPoint } from './cookieIssuance';
import { apiGateServiceRef } from './wiring/apiGateService';

/**
 * The part of the gate that lives in the `auth` plugin. It does not run in a backend without that plugin, so nothing that
 * keeps the gate closed is in here.
 */
export const authModuleApiGate = createBackendModule({
  pluginId: 'auth',
  moduleId: 'api-gate',
  register(reg) {
    let chosen: { moduleId: string; issuer: CookieIssuer | 'off' } | undefined;

    reg.registerExtensionPoint(authCookieIssuanceExtensionPoint, {
      setCookieIssuer(options) {
        if (chosen) {
          throw new ConflictError(
            `The modules ${chosen.moduleId} and ${options.moduleId} both set an issuer of the API gate's cookie: install one of them`,
          );
        }
        chosen = options;
      },
    });

    reg.registerInit({
      deps: { gate: apiGateServiceRef },
      async init({ gate }) {
        if (chosen) {
          const { issuer } = chosen;
          gate.setCookieIssuer(issuer === 'off' ? undefined : issuer);
        }
      },
    });
  },
});
