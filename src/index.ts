/**
 * Every route of every Backstage backend plugin needs a valid credential, except what one allowlist names.
 *
 * @packageDocumentation
 */
import './backstage/releaseFeatures';

export { apiGate as default } from './backstage/apiGate';
export {
  authCookieIssuanceExtensionPoint,
  type AuthCookieIssuanceExtensionPoint,
} from './backstage/module';
export type {
  CookieIssuer,
  CookieIssuerContext,
} from './gate/cookie/CookieIssuer';
export {
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './operators/routes/RouteAccess';
