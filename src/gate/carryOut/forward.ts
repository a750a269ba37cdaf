import type { BackstageIdentityResponse } from '@backstage/plugin-auth-node';
import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';
import { MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import { bindToken, PresentedToken, readBearer } from '../read/token';
import type { CredentialKind } from '../Decision';
import type { VerifiedToken } from '../judge/findRefused';
import type { Judgement } from '../judge/judge';
import { BACKSTAGE_AUTH_COOKIES, isHeader } from '../read/readCredential';
import { isRead } from '../read/requestLine';
import { CookieNames, withoutCookies } from '../read/cookieHeader';
import { GateRequest, isSentOn } from '../read/GateRequest';
import { COOKIE_ISSUED_IN_FRONT, isFullUserToken } from '../cookie/issueCookie';
import { isUser } from '../verify/verifyToken';

/**
 * Changes a request as it goes on to the handlers behind the gate. Nothing else in the gate changes a request, and every request
 * that the gate lets go on comes through here: no handler of this backend sees the gate's cookie.
 * In report-only, a refused request goes on as it came, but without the gate's cookie and the credential header.
 */
export function forward(request: GateRequest, judgement: Judgement): void {
  const { answer, isInstalled, places, policy, req, services } = request;
  const { presented, reason, refusal, verified } = judgement;
  const { headerToken } = places;
  if (headerToken !== undefined) {
    setRequestHeader(req, policy.config.credentialHeader!, undefined);
  }
  bindToken(req, undefined);
  if (verified) {
    setIdentity(req, verified);
  }
  if (presented) {
    handOn(request, presented.kind, presented.token!.text, presented);
  } else if (!refusal && headerToken !== undefined) {
    // On a public path the gate needs no token, and a handler may read one. A malformed header leaves it none, as it is final.
    handOn(request, 'bearer', headerToken);
  }
  // A gate behind the gateway receives the same token as `Authorization`, and must issue no cookie for it.
  if (
    verified &&
    !isInstalled &&
    services.cookie &&
    verified.token.text.length <= MAX_TOKEN_BYTES &&
    isFullUserToken(verified, services)
  ) {
    setRequestHeader(req, COOKIE_ISSUED_IN_FRONT, '1');
  }
  if (judgement.removesUserCookie) {
    removeCookies(req, BACKSTAGE_AUTH_COOKIES);
  }
  // A 304 sets no cookie, and a page that is polled may get nothing else for as long as the cookie lives. Other methods get no 304.
  // Theirs is a condition of the change: a `PUT` with `If-None-Match: *` must replace nothing.
  if (answer.issued?.isIssued && isRead(req.method)) {
    setRequestHeader(req, 'if-none-match', undefined);
    setRequestHeader(req, 'if-modified-since', undefined);
  }
  // Behind a gateway, the gate of the backend that has `auth` needs the cookie: it recognises a sign-out.
  const isForGateBehind =
    reason === 'built-in-public' &&
    !isInstalled &&
    request.plugin.id === 'auth';
  if (services.cookie && !isForGateBehind) {
    removeCookies(req, services.cookie.names);
  }
}

/**
 * Hands a token on to the handlers, as `Authorization`. If that header is for an upstream server, or would be forwarded to one, the header
 * stays as it came, and `httpAuth` alone reads the token.
 */
function handOn(
  request: GateRequest,
  kind: CredentialKind,
  token: string,
  { authProtocol }: Pick<PresentedToken, 'authProtocol'> = {},
): void {
  const { answer, places, req } = request;
  // Shared caches recognise `Authorization`, and no other header that holds a credential.
  answer.isPrivate ||= places.ignoresAuthorization;
  const staysHere = places.ignoresAuthorization && isSentOn(request);
  // Handlers that do not allow limited access would accept Backstage's cookie if it was a bearer token.
  const isOwned =
    places.ignoresAuthorization &&
    req.headers.authorization &&
    kind !== 'user-cookie';
  if (staysHere) {
    // Nothing of this backend's goes to the other server.
    removeCookies(req, BACKSTAGE_AUTH_COOKIES);
  }
  if (staysHere || (isOwned && isBindable(request))) {
    bindToken(req, token);
  } else if (
    kind === 'cookie' ||
    (kind === 'bearer' && places.ignoresAuthorization) ||
    (authProtocol && token !== (readBearer(req) ?? token))
  ) {
    const value = token ? `Bearer ${token}` : undefined;
    setRequestHeader(req, 'authorization', value);
  }
}

/** A gateway sends `Authorization` to the other backend, and an `httpAuth` of the app's own reads nothing else. */
function isBindable({ isInstalled, plugin }: GateRequest): boolean {
  return isInstalled && plugin.readsBoundTokens;
}

/** Sets `req.user` as Backstage's `IdentityApi` did, from the token alone. */
function setIdentity(
  req: IncomingMessage,
  { credentials, token }: VerifiedToken,
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

/**
 * Replaces a request header, or removes it, in each place where a handler or a proxy may read it: `headers`, `headersDistinct`
 * and `rawHeaders`.
 *
 * @param name - in lower case
 */
export function setRequestHeader(
  req: IncomingMessage,
  name: string,
  value: string | undefined,
): void {
  // Read both properties first: Node derives them from `rawHeaders` at the first access.
  const { headers, headersDistinct } = req;
  const { rawHeaders } = req;
  const raw: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!isHeader(rawHeaders[i], name)) {
      raw.push(rawHeaders[i], rawHeaders[i + 1]);
    }
  }
  if (value === undefined) {
    delete headers[name];
    delete headersDistinct[name];
  } else {
    headers[name] = value;
    headersDistinct[name] = [value];
    raw.push(name, value);
  }
  req.rawHeaders = raw;
}

/**
 * Removes cookies from a request, so that no handler finds them: from its headers, and from the properties that `cookie-parser`
 * has set, if an app runs that in front of the gate.
 */
export function removeCookies(req: IncomingMessage, names: CookieNames): void {
  const present = req.headers.cookie;
  const others = withoutCookies(present, names);
  if (others !== present) {
    setRequestHeader(req, 'cookie', others);
  }
  const { cookies, signedCookies } = req as Partial<Request>;
  for (const parsed of [cookies, signedCookies]) {
    for (const name of parsed ? Object.keys(parsed) : []) {
      if (names.all.has(name)) {
        delete parsed![name];
      }
    }
  }
}
