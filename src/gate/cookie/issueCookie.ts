import { isError } from '@backstage/errors';
import type { CookieIssuer, GateCookieIssuer } from './CookieIssuer';
import { isCookieEndpoint } from '../read/requestLine';
import { isCrossOrigin } from '../read/browsers';
import { withTimeout } from '../util/time';
import { keepCookies } from '../carryOut/answer';
import type { ExpressRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';
import type { VerifiedToken } from '../judge/findRefused';
import { awaited, Steps } from '../verify/steps';
import { isUser } from '../verify/verifyToken';

/**
 * Marks a request that a gate in front has passed, in a backend with the gateway. That gate issues the cookie. The one behind can't
 * see whether the browser sent the bearer token, or the cookie alone, which must not renew itself.
 */
export const COOKIE_ISSUED_IN_FRONT = 'x-api-gate-cookie-issued-in-front';

/**
 * Returns the issuer that is to issue the gate's cookie to the browser of a user who has sent a bearer token; `undefined` if no
 * cookie is due.
 */
function findIssuer(
  request: ExpressRequest,
  verified: VerifiedToken,
): GateCookieIssuer | undefined {
  const { policy, req, services } = request;
  const issuer = services.cookieIssuer;
  if (
    !services.cookie ||
    !issuer ||
    req.method === 'OPTIONS' ||
    req.headers[COOKIE_ISSUED_IN_FRONT] !== undefined ||
    // A listener has changed a request that the gate passed. The bearer token may be the one of the cookie, which must not renew itself.
    services.decisions.get(req) !== undefined ||
    !isFullUserToken(verified, services)
  ) {
    return undefined;
  }
  // Another site could otherwise sign the browser in as somebody else, by any method.
  if (policy.isCrossSite(req, 'POST')) {
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
  return issuer.isSettled?.(req, verified.token) ? undefined : issuer;
}

/**
 * Returns whether a token is a user's own as Backstage has issued it, which the cookie may hold: not a limited one, nor that of
 * a service that acts for a user.
 */
export function isFullUserToken(
  { credentials, token }: VerifiedToken,
  { cookieTypes }: GateServices,
): boolean {
  return (
    cookieTypes.has(token.claims?.typ) &&
    isUser(credentials) &&
    !credentials.principal.actor
  );
}

/** Issues the gate's cookie where {@link findIssuer} returns an issuer. A failure is logged, and refuses nothing. */
export function* issueCookie(
  request: ExpressRequest,
  verified: VerifiedToken,
): Steps<void> {
  const issuer = findIssuer(request, verified);
  if (!issuer) {
    return;
  }
  const { answer, req, res, services } = request;
  const { credentials, token } = verified;
  try {
    answer.issued = yield* awaited(
      issuer.issueCookie(
        {
          credentials: credentials as never,
          token: token.text,
          expires: services.cookie!.expiryFor(token.claims!.exp!),
          req,
          res,
        },
        token,
      ),
    );
  } catch (error) {
    services.logger.warn('API gate issued no cookie: the issuer failed', {
      errorType: isError(error) ? error.name : typeof error,
    });
  }
}

/** Wraps an adopter's issuer: a failure leaves no cookie behind, and the issuer takes three seconds at most. */
export function wrapIssuer(issuer: CookieIssuer): GateCookieIssuer {
  return {
    async issueCookie(context) {
      const restoreCookies = keepCookies(context.res);
      try {
        const issued = issuer.issueCookie(context);
        if (issued) {
          const failure = 'The cookie was not issued in time';
          await withTimeout(issued, 3_000, failure);
        }
      } catch (error) {
        restoreCookies();
        throw error;
      }
      return undefined;
    },
  };
}

/** Returns whether frontends get the cookie at a path: at Backstage's cookie endpoint, or at the `/api/cookie` of the tutorial. */
function isIssuanceEndpoint({ pluginId, path }: ExpressRequest): boolean {
  return isCookieEndpoint(path) || (pluginId === 'cookie' && path === '/');
}
