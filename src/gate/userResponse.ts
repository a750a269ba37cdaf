import type {
  BackstageCredentials,
  BackstageUserPrincipal,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import type { TokenCookieIssuer } from '../cookie/DefaultCookieIssuer';
import type { GateCookie } from '../cookie/GateCookie';
import { restrictResponse } from '../cookie/restrictResponse';
import type { VerifiedCredential } from '../credentials/verifyCredential';
import type { CredentialKind } from '../decision/Decision';
import type { GateObserver } from '../decision/GateObserver';
import { isCrossOrigin } from '../http/fetchMetadata';
import { isPromise, MaybePromise } from '../util/then';
import { isIssuanceEndpoint, trustOfPath } from './cookiePaths';
import type { ExpressRequest } from './GateRequest';

/** The services that issuing the cookie needs. */
export interface CookieServices {
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  /** `undefined`: no cookie is issued. */
  cookieIssuer(): TokenCookieIssuer | undefined;
  /** The `typ` of tokens that may become the cookie. */
  cookieTypes: ReadonlySet<string | undefined>;
  logger: LoggerService;
  observer: Pick<GateObserver, 'cookieNotIssued'>;
}

/**
 * Marks a request that a gate in front has passed, in a backend with the gateway. That gate issues the cookie. The one behind can't
 * see whether the browser sent the bearer token, or the cookie alone, which must not renew itself.
 */
export const COOKIE_ISSUED_IN_FRONT = 'x-api-gate-cookie-issued-in-front';

type UserCredentials = BackstageCredentials<BackstageUserPrincipal>;

type FullUserCredential = VerifiedCredential & { credentials: UserCredentials };

export function isUser(
  credentials: VerifiedCredential['credentials'],
): credentials is UserCredentials {
  return credentials.principal.type === 'user';
}

/**
 * Returns whether a token is a user's own as Backstage has issued it, which the cookie may hold: not a limited one, nor that of
 * a service that acts for a user.
 */
export function isFullUserToken(
  verified: VerifiedCredential,
  { cookieTypes }: Pick<CookieServices, 'cookieTypes'>,
): verified is FullUserCredential {
  const {
    credentials,
    token: { claims, userToken },
  } = verified;
  return (
    claims !== undefined &&
    claims === userToken &&
    cookieTypes.has(claims.typ) &&
    isUser(credentials) &&
    !credentials.principal.actor
  );
}

/** Restricts a response that a browser may show to a user, see {@link restrictResponse}. */
export function restrictUserResponse(
  request: ExpressRequest,
  credential: CredentialKind,
): void {
  restrictResponse(request.res, credential, () => trustOfPath(request));
}

/** Issues the gate's cookie to the browser of a user who has sent a bearer token. A failure is logged, and refuses nothing. */
export function issueCookie(
  request: ExpressRequest,
  verified: VerifiedCredential,
  services: CookieServices,
): MaybePromise<void> {
  const { req, res, policy } = request;
  const { cookie, logger, observer } = services;
  const issuer = services.cookieIssuer();
  if (
    !cookie ||
    !issuer ||
    req.method === 'OPTIONS' ||
    req.headers[COOKIE_ISSUED_IN_FRONT] !== undefined ||
    !isFullUserToken(verified, services)
  ) {
    return undefined;
  }
  // Another site could otherwise sign the browser in as somebody else, by any method.
  if (policy.isCrossSite(req, 'POST')) {
    observer.cookieNotIssued('cross-site');
    return undefined;
  }
  // Stock frontends on another origin make only this call with credentials. Elsewhere the browser ignores `Set-Cookie`, and
  // the `no-store` that comes with it would keep each answer out of the browser's cache.
  if (
    isCrossOrigin(req, policy.config.backendOrigin) &&
    !isIssuanceEndpoint(request)
  ) {
    return undefined;
  }
  const reportFailure = (error: unknown) => {
    observer.cookieNotIssued('issuer-failed');
    logger.warn('API gate issued no cookie: the issuer failed', {
      errorType: isError(error) ? error.name : typeof error,
    });
  };
  try {
    const { credentials, token: presented } = verified;
    const token = presented.text;
    const issued = issuer.issueCookie({
      credentials,
      token,
      expires: cookie.expiryFor(presented.claims!.exp!),
      presented,
      forwarded: request.forwarded,
      req,
      res,
    });
    return isPromise(issued) ? issued.catch(reportFailure) : undefined;
  } catch (error) {
    reportFailure(error);
    return undefined;
  }
}
