import type { BackstageIdentityResponse } from '@backstage/plugin-auth-node';
import type { Request } from 'express';
import { GateCookie, MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import { BACKSTAGE_AUTH_COOKIES } from '../credentials/readCredential';
import { removeCookies, setRequestHeader } from '../http/requestHeaders';
import type { VerifiedCredential } from '../credentials/verifyCredential';
import type { ExpressRequest, GateRequest } from './GateRequest';
import {
  COOKIE_ISSUED_IN_FRONT,
  CookieServices,
  isFullUserToken,
  isUser,
} from './userResponse';

/**
 * Sets the headers with which a request goes on to the handlers behind the gate. Nothing else in the gate changes a request's
 * headers, and every request that goes on comes through here: no handler of this backend sees the gate's cookie.
 */
export function forward(
  { req, forwarded }: Pick<GateRequest, 'req' | 'forwarded'>,
  cookie: GateCookie | undefined,
): void {
  const { bearer, gateCookie, userCookie, validators } = forwarded;
  if (bearer !== undefined) {
    setRequestHeader(req, 'authorization', `Bearer ${bearer}`);
  }
  if (userCookie === 'removed') {
    removeCookies(req, BACKSTAGE_AUTH_COOKIES);
  }
  // Other methods get no 304. Theirs is a condition of the change: a `PUT` with `If-None-Match: *` must replace nothing.
  if (validators === 'removed' && ['GET', 'HEAD'].includes(req.method!)) {
    setRequestHeader(req, 'if-none-match', undefined);
    setRequestHeader(req, 'if-modified-since', undefined);
  }
  if (gateCookie === 'as received') {
    return;
  }
  cookie?.removeFrom(req);
  if (cookie && gateCookie) {
    cookie.putInto(req, gateCookie.token);
    setRequestHeader(req, COOKIE_ISSUED_IN_FRONT, '1');
  }
}

/** Chooses the headers with which an authenticated request goes on. */
export function chooseHeaders(
  { credential, forwarded, isInstalled }: ExpressRequest,
  verified: VerifiedCredential,
  services: Pick<CookieServices, 'cookieTypes'>,
): void {
  const { text } = verified.token;
  if (credential === 'cookie') {
    forwarded.bearer = text;
  }
  // A gate behind the gateway receives the same token as `Authorization`, and must issue no cookie for it. One of an earlier version
  // issues none if it sees the cookie too.
  if (
    !isInstalled &&
    isFullUserToken(verified, services) &&
    text.length <= MAX_TOKEN_BYTES
  ) {
    forwarded.gateCookie = { token: text };
  }
}

/** Sets `req.user` as Backstage's `IdentityApi` did, from the token alone. */
export function setIdentity(
  req: Request,
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
    (req as Request & { user?: BackstageIdentityResponse }).user = user;
  }
}
