import { findPublicRefusal } from '../credentials/findPublicRefusal';
import {
  BACKSTAGE_AUTH_COOKIE,
  BACKSTAGE_AUTH_COOKIES,
  readBearer,
} from '../credentials/readCredential';
import type { VerifyOptions } from '../credentials/verifyCredential';
import { readCookies } from '../http/cookieHeader';
import type { Revocations } from '../revocation/Revocations';
import { isPromise, MaybePromise, then } from '../util/then';
import type { ExpressRequest, GateRequest } from './GateRequest';

type RevokedSessionServices = VerifyOptions & { revocations: Revocations };

/**
 * Refuses on public routes, too, a bearer token that the gate accepts on no route, such as one of a revoked session: a handler may
 * read it, and signing in may make a new one of it. Such a cookie is removed instead: the page may not know that the browser sent
 * it.
 *
 * @throws Refusal 401, or 503 if the keys can't be had, or if the list of revocations is not loaded
 */
export function refuseRevokedSession(
  request: ExpressRequest,
  services: RevokedSessionServices,
): MaybePromise<void> {
  const { req, plugin, policy } = request;
  const bearer = readBearer(req);
  return then(removeRevokedUserCookie(request, services), () =>
    then(findPublicRefusal(bearer, plugin, policy, services), refusal => {
      if (refusal) {
        throw refusal;
      }
    }),
  );
}

/**
 * Removes Backstage's own cookie from what is forwarded if {@link findPublicRefusal} refuses its token, such as that of a revoked
 * session, which verifies until it expires: a handler would serve that user, and Backstage would not issue another cookie. Never
 * rejects; if the token can't be judged now, the cookie is removed, because it may be a revoked one.
 */
export function removeRevokedUserCookie(
  request: Pick<GateRequest, 'req' | 'plugin' | 'policy' | 'forwarded'>,
  services: RevokedSessionServices,
): MaybePromise<void> {
  const { req, plugin, policy, forwarded } = request;
  const cookies = readCookies(req.headers.cookie, BACKSTAGE_AUTH_COOKIES);
  if (!cookies) {
    forwarded.userCookie = 'removed';
    return undefined;
  }
  const token = cookies.get(BACKSTAGE_AUTH_COOKIE);
  const refusal = findPublicRefusal(token, plugin, policy, services);
  const found = isPromise(refusal) ? refusal.catch(() => true) : refusal;
  return then(found, isRefused => {
    if (isRefused) {
      forwarded.userCookie = 'removed';
    }
  });
}
