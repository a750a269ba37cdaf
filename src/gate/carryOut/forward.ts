import type { BackstageIdentityResponse } from '@backstage/plugin-auth-node';
import type { IncomingMessage } from 'node:http';
import { MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import { bindToken, readBearer } from '../read/token';
import { BACKSTAGE_AUTH_COOKIES, PresentedToken } from '../read/readCredential';
import { removeCookies, setRequestHeader } from './requestHeaders';
import { isSentOn } from '../verify/foreignAuthorization';
import type { Passed } from '../decide';
import type { GateRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';
import { COOKIE_ISSUED_IN_FRONT, isFullUserToken } from '../cookie/issueCookie';
import { isUser, VerifiedCredential } from '../verify/verifyCredential';

/** The changes of its headers with which a request goes on to the handlers behind the gate. */
export interface ForwardedHeaders {
  /** The gate's cookie. Default: it is removed. */
  gateCookie?: 'as received';
  /** Backstage's own cookie. Default: it stays. */
  userCookie?: 'removed';
  /** The headers by which a handler may answer 304, which sets no cookie. Default: they stay. */
  validators?: 'removed';
}

/**
 * Changes a request as it goes on to the handlers behind the gate. Nothing else in the gate changes a request, and every request
 * that goes on comes through here: no handler of this backend sees the gate's cookie.
 *
 * @param passed - `undefined` for a request that goes on in report-only alone, as it came
 */
export function forward(request: GateRequest, passed?: Passed): void {
  const { req, forwarded, places, policy, services } = request;
  const { headerToken } = places;
  const verified = passed?.verified;
  if (headerToken !== undefined) {
    setRequestHeader(req, policy.config.credentialHeader!, undefined);
  }
  bindToken(req, undefined);
  if (verified) {
    setIdentity(req, verified);
  }
  if (passed?.presented) {
    handOn(request, passed.presented);
  } else if (passed && headerToken !== undefined) {
    // On a public path the gate needs no token, and a handler may read one. A malformed header leaves it none, as it is final.
    handOn(request, { kind: 'bearer', token: headerToken });
  }
  // A gate behind the gateway receives the same token as `Authorization`, and must issue no cookie for it.
  if (verified && !request.isInstalled && mayHoldInCookie(verified, services)) {
    setRequestHeader(req, COOKIE_ISSUED_IN_FRONT, '1');
  }
  const { gateCookie, userCookie, validators } = forwarded;
  if (userCookie === 'removed') {
    removeCookies(req, BACKSTAGE_AUTH_COOKIES);
  }
  // Other methods get no 304. Theirs is a condition of the change: a `PUT` with `If-None-Match: *` must replace nothing.
  if (validators === 'removed' && ['GET', 'HEAD'].includes(req.method!)) {
    setRequestHeader(req, 'if-none-match', undefined);
    setRequestHeader(req, 'if-modified-since', undefined);
  }
  if (services.cookie && gateCookie !== 'as received') {
    removeCookies(req, services.cookie.names);
  }
}

function mayHoldInCookie(
  verified: VerifiedCredential,
  services: GateServices,
): boolean {
  return (
    services.cookie !== undefined &&
    verified.token.text.length <= MAX_TOKEN_BYTES &&
    isFullUserToken(verified, services)
  );
}

/**
 * Hands a token on to the handlers. One that `Authorization` does not hold replaces it, unless that header belongs to somebody
 * else, or would take a token out of the backend that the request did not send there: then `httpAuth` alone has the token.
 */
function handOn(
  request: GateRequest,
  { authProtocol, kind, token }: PresentedToken,
): void {
  const { answer, forwarded, places, req } = request;
  // Shared caches recognise `Authorization`, and no other header that holds a credential.
  answer.isPrivate ||= places.isBound;
  const staysHere = places.isBound && isSentOn(request);
  if (staysHere) {
    forwarded.userCookie = 'removed';
  }
  // As a bearer token, Backstage's cookie would be accepted by handlers that do not allow limited access.
  const isOwned =
    places.isBound && req.headers.authorization && kind !== 'user-cookie';
  if (staysHere || (isOwned && isBindable(request))) {
    bindToken(req, token);
  } else if (
    kind === 'cookie' ||
    (kind === 'bearer' && places.isBound) ||
    (authProtocol && token !== (readBearer(req) ?? token))
  ) {
    const value = token ? `Bearer ${token}` : undefined;
    setRequestHeader(req, 'authorization', value);
  }
}

/** A gateway sends `Authorization` to the other backend, and an `httpAuth` of the app's own reads nothing else. */
function isBindable({ isInstalled, plugin }: GateRequest): boolean {
  return isInstalled && 'recall' in (plugin.httpAuthFor(undefined) as object);
}

/** Sets `req.user` as Backstage's `IdentityApi` did, from the token alone. */
function setIdentity(
  req: IncomingMessage,
  { credentials, token }: VerifiedCredential,
): void {
  if (isUser(credentials)) {
    const user: BackstageIdentityResponse = {
      token: token.text,
      identity: {
        type: 'user',
        userEntityRef: credentials.principal.userEntityRef,
        ownershipEntityRefs: [...(token.claims?.ent ?? [])],
      },
    };
    (req as { user?: BackstageIdentityResponse }).user = user;
  }
}
