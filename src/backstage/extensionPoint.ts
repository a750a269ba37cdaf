import { createExtensionPoint } from '@backstage/backend-plugin-api';
import type { CookieIssuer } from '../gate/cookie/CookieIssuer';

/**
 * Lets a module of the `auth` plugin replace the issuer of the gate's cookie, or turn issuing off. The issuer does not affect
 * which requests pass the gate.
 *
 * @public
 */
export interface AuthCookieIssuanceExtensionPoint {
  /**
   * Sets the issuer; `issuer: 'off'` issues no cookie.
   *
   * @param options.moduleId - the id of the calling module, for the error below
   * @throws Error that names both modules if another one has set an issuer before
   */
  setCookieIssuer(options: {
    moduleId: string;
    issuer: CookieIssuer | 'off';
  }): void;
}

/**
 * The extension point of {@link AuthCookieIssuanceExtensionPoint}.
 *
 * @public
 */
export const authCookieIssuanceExtensionPoint =
  createExtensionPoint<AuthCookieIssuanceExtensionPoint>({
    id: 'auth.apiGate.cookieIssuance',
  });
