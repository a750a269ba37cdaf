import type { BackstageIdentityResponse } from '@backstage/plugin-auth-node';
import type { IncomingMessage } from 'node:http';
import { MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import { bindToken } from '../credentials/bearer';
import {
  BACKSTAGE_AUTH_COOKIES,
  PresentedToken,
} from '../credentials/readCredential';
import { removeCookies, setRequestHeader } from '../http/requestHeaders';
import { handOn } from './foreignAuthorization';
import type { GateRequest } from './GateRequest';
import {
  isFullUserToken,
  isUser,
  VerifiedCredential,
} from './verifyCredential';

/**
 * Marks a request that a gate in front has passed, in a backend with the gateway. That gate issues the cookie. The one behind can't
 * see whether the browser sent the bearer token, or the cookie alone, which must not renew itself.
 */
export const COOKIE_ISSUED_IN_FRONT = 'x-api-gate-cookie-issued-in-front';

/** The changes of its headers with which a request goes on to the handlers behind the gate. */
export interface ForwardedHeaders {
  /** The token that the request gets as its `Authorization`; empty for none. Default: the header stays as it was received. */
  bearer?: string;
  /** The token that `httpAuth` reads in the request, whatever its `Authorization` is. */
  boundToken?: string;
  /** The gate's cookie. Default: it is removed. */
  gateCookie?: 'as received';
  /** Whether the request gets the header {@link COOKIE_ISSUED_IN_FRONT}. */
  isCookieIssued?: boolean;
  /** Backstage's own cookie. Default: it stays. */
  userCookie?: 'removed';
  /** The headers by which a handler may answer 304, which sets no cookie. Default: they stay. */
  validators?: 'removed';
}

/**
 * Changes a request as it goes on to the handlers behind the gate. Nothing else in the gate changes a request, and every request
 * that goes on comes through here: no handler of this backend sees the gate's cookie.
 *
 * @param verified - the credential that `req.user` is set from; `undefined` leaves it unset
 */
export function forward(
  { req, forwarded, places: { header }, services: { cookie } }: GateRequest,
  verified?: VerifiedCredential,
): void {
  const {
    bearer,
    boundToken,
    gateCookie,
    isCookieIssued,
    userCookie,
    validators,
  } = forwarded;
  if (verified) {
    setIdentity(req, verified);
  }
  if (header !== undefined && req.headers[header] !== undefined) {
    setRequestHeader(req, header, undefined);
  }
  bindToken(req, boundToken);
  if (bearer !== undefined) {
    const value = bearer ? `Bearer ${bearer}` : undefined;
    setRequestHeader(req, 'authorization', value);
  }
  if (isCookieIssued) {
    setRequestHeader(req, COOKIE_ISSUED_IN_FRONT, '1');
  }
  if (userCookie === 'removed') {
    removeCookies(req, BACKSTAGE_AUTH_COOKIES);
  }
  // Other methods get no 304. Theirs is a condition of the change: a `PUT` with `If-None-Match: *` must replace nothing.
  if (validators === 'removed' && ['GET', 'HEAD'].includes(req.method!)) {
    setRequestHeader(req, 'if-none-match', undefined);
    setRequestHeader(req, 'if-modified-since', undefined);
  }
  if (cookie && gateCookie !== 'as received') {
    removeCookies(req, cookie.names);
  }
}

/** Chooses the headers with which an authenticated request goes on. */
export function chooseHeaders(
  request: GateRequest,
  presented: PresentedToken,
  verified: VerifiedCredential,
): void {
  const { forwarded, isInstalled, services } = request;
  const { text } = verified.token;
  handOn(request, presented);
  // A gate behind the gateway receives the same token as `Authorization`, and must issue no cookie for it.
  if (
    services.cookie &&
    !isInstalled &&
    text.length <= MAX_TOKEN_BYTES &&
    isFullUserToken(verified, services)
  ) {
    forwarded.isCookieIssued = true;
  }
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
