import type { GateCookie } from '../cookie/GateCookie';
import { toToken } from '../credentials/assertToken';
import { readCredential } from '../credentials/readCredential';
import type { PresentedToken } from '../credentials/verifyCredential';
import { Refusal } from '../decision/Refusal';
import { isCodeDestination } from '../http/fetchMetadata';
import { acceptsUserCookie, trustOfPath } from './cookiePaths';
import type { ExpressRequest } from './GateRequest';

/**
 * Returns the token that a request presents, and notes its kind in the request; a refusal unless the request presents exactly one.
 *
 * @throws Refusal 403 for a cookie that may not be used for the request
 */
export function presentedToken(
  request: ExpressRequest,
  cookie: GateCookie | undefined,
): PresentedToken | Refusal {
  const presented = toToken(
    readCredential(request.req, {
      cookie,
      acceptsUserCookie: () => acceptsUserCookie(request),
    }),
  );
  if (presented instanceof Refusal) {
    return presented;
  }
  request.credential = presented.kind;
  if (presented.kind !== 'bearer') {
    assertCookieMayBeUsed(request);
  }
  return presented;
}

/** @throws Refusal 403 if another site's page uses the cookie, or if the answer would run in the page that requested it */
function assertCookieMayBeUsed(request: ExpressRequest): void {
  const { req, policy } = request;
  if (policy.isCrossSite(req)) {
    throw Refusal.crossSite;
  }
  if (isCodeDestination(req) && !trustOfPath(request)) {
    throw Refusal.unsafeDestination;
  }
}
