import type { IncomingMessage } from 'node:http';
import type { GateCookie } from '../cookie/GateCookie';
import type { TokenKind } from '../Decision';
import { Refusal } from '../Refusal';
import { createCookieNames, readCookies } from './cookieHeader';
import { readBearer } from './token';

/** The name of the cookie in which Backstage's own `httpAuth` keeps a limited user token. */
export const BACKSTAGE_AUTH_COOKIE = 'backstage-auth';

/** The same name, for searches in a `Cookie` header. */
export const BACKSTAGE_AUTH_COOKIES = createCookieNames([
  BACKSTAGE_AUTH_COOKIE,
]);

/** The token in a cookie, if there is one. A refusal marks an inconsistent set of cookies, of which the gate accepts no part. */
export type CookieToken = string | Refusal | undefined;

/** The places where a request may hold its credential. */
export interface CredentialPlaces {
  /** `undefined`: the gate's cookie is not accepted. */
  cookie: Pick<GateCookie, 'read'> | undefined;
  /** The token in the credential header; empty for any other value, such as two, which Node joins by a comma. */
  headerToken: string | undefined;
  /** Whether the server behind the handler reads `Authorization`, and the protocols of an upgrade. */
  isForeignPath: boolean;
  /** Whether `Authorization` is no credential for the gate: `httpAuth` reads the token that the gate has bound to the request. */
  ignoresAuthorization: boolean;
}

/**
 * Finds the places where a request may hold its credential.
 *
 * @param header - the name of the credential header in lower case
 */
export function readPlaces(
  { headers }: IncomingMessage,
  {
    cookie,
    header,
    isForeignPath,
  }: Pick<CredentialPlaces, 'cookie' | 'isForeignPath'> & { header?: string },
): CredentialPlaces {
  const value = header && headers[header];
  const headerToken =
    value === undefined
      ? undefined
      : (String(value).match(/^(?:Bearer +)?([^\s,]+)$/i)?.[1] ?? '');
  // An ingress with a password of its own sends another scheme with every request, which must not refuse a cookie.
  const isOtherScheme =
    header !== undefined && /^(?!bearer\b)./i.test(headers.authorization ?? '');
  const ignoresAuthorization =
    headerToken !== undefined || isForeignPath || isOtherScheme;
  return { cookie, headerToken, isForeignPath, ignoresAuthorization };
}

/** Returns the bearer token of a request, in the credential header or in an `Authorization` that is the gate's to read. */
export function findBearer(
  req: IncomingMessage,
  { headerToken, ignoresAuthorization }: CredentialPlaces,
): string | undefined {
  return ignoresAuthorization ? headerToken || undefined : readBearer(req);
}

/** The token that authenticates a request, and where the request has it. */
export interface Credential {
  kind: TokenKind;
  token: string;
}

/**
 * Reads the one credential of a request. A second kind is never tried when the first fails, and of several values where one is
 * allowed the gate accepts none.
 *
 * - the credential header is final, if the configuration names one
 * - `Authorization`, unless empty or foreign, is final: a bearer token (RFC 6750, section 2.1) or a credential that this gate refuses
 * - otherwise the gate's cookie, then Backstage's own if `acceptsUserCookie` returns true
 *
 * @returns a refusal unless the request presents exactly one token. The refusal is not thrown: anybody can send requests without a
 *   credential, and an exception takes longer than all other steps of refusing one.
 */
export function readCredential(
  req: IncomingMessage,
  places: CredentialPlaces,
  acceptsUserCookie: () => boolean,
): Credential | Refusal {
  if (countHeader(req, 'authorization') > 1) {
    return Refusal.because('repeated-authorization');
  }
  const token = findBearer(req, places);
  if (token) {
    return { kind: 'bearer', token };
  }
  if (places.headerToken !== undefined) {
    return Refusal.because('invalid-token', 'malformed');
  }
  if (req.headers.authorization && !places.ignoresAuthorization) {
    return Refusal.because('unsupported-scheme');
  }
  let kind: TokenKind = 'cookie';
  let cookie = places.cookie?.read(req.headers.cookie);
  if (cookie === undefined && acceptsUserCookie()) {
    kind = 'user-cookie';
    cookie = readUserCookie(req);
  }
  return typeof cookie === 'string'
    ? { kind, token: cookie }
    : (cookie ?? Refusal.because('missing-credentials'));
}

/** Returns the token in Backstage's own cookie, which has one value. */
export function readUserCookie({ headers }: IncomingMessage): CookieToken {
  const cookies = readCookies(headers.cookie, BACKSTAGE_AUTH_COOKIES);
  return cookies
    ? cookies.get(BACKSTAGE_AUTH_COOKIE)
    : Refusal.because('conflicting-cookies');
}

/** Returns the protocols that a WebSocket handshake offers (RFC 6455, section 11.3.4). Node joins several headers by a comma. */
export function readProtocols({ headers }: IncomingMessage): string[] {
  return (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map(protocol => protocol.trim())
    .filter(Boolean);
}

/** Compares the name of a header with one in lower case. The lengths come first: most names differ by them already. */
export function isHeader(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase;
}

/** Returns the number of lines of a header. Of several `Authorization` headers Node keeps the first one alone in `headers`. */
export function countHeader(
  { rawHeaders }: IncomingMessage,
  lowerCase: string,
): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (isHeader(rawHeaders[i], lowerCase)) {
      count += 1;
    }
  }
  return count;
}
