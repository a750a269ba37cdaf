/**
 * Every route of every Backstage backend plugin needs a valid credential, except what one allowlist names.
 *
 * @packageDocumentation
 */
import './services/assertBackstage';

export { apiGate as default } from './apiGate';
export {
  authCookieIssuanceExtensionPoint,
  type AuthCookieIssuanceExtensionPoint,
} from './cookie/extensionPoint';
export type { CookieIssuer, CookieIssuerContext } from './cookie/CookieIssuer';
export {
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './routes/RouteAccess';
