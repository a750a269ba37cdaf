import type { IncomingMessage } from 'node:http';
import { createCookieNames, readCookies } from '../http/cookieHeader';
import { isHeader } from '../http/requestHeaders';

/** The name of the cookie in which Backstage's own `httpAuth` keeps a limited user token. */
export const BACKSTAGE_AUTH_COOKIE = 'backstage-auth';

/** The same name, for searches in a `Cookie` header. */
export const BACKSTAGE_AUTH_COOKIES = createCookieNames(
  BACKSTAGE_AUTH_COOKIE,
  name => name === BACKSTAGE_AUTH_COOKIE,
);

/**
 * The token of the gate's cookie in a `Cookie` header. `conflict` marks an inconsistent set of cookies, of which the gate accepts
 * no part.
 */
export type ReadCookie =
  { kind: 'none' } | { kind: 'token'; token: string } | { kind: 'conflict' };

/** Reads the gate's cookie. */
export interface CookieReader {
  read(header: string | undefined): ReadCookie;
}

/** The credential that a request presents. `conflict` marks several values where one is allowed; the gate accepts none of them. */
export type PresentedCredential =
  | { kind: 'none' }
  | { kind: 'bearer'; token: string }
  | { kind: 'cookie'; token: string }
  | { kind: 'user-cookie'; token: string }
  | { kind: 'repeated-authorization' }
  | { kind: 'unsupported-scheme' }
  | { kind: 'conflicting-cookies' };

/**
 * Reads the one credential of a request. A second kind is never tried when the first fails.
 *
 * - `Authorization`, unless empty, is final: a bearer token (RFC 6750, section 2.1) or a credential that this gate refuses
 * - otherwise the gate's cookie, then Backstage's own if `acceptsUserCookie` is true
 */
export function readCredential(
  req: IncomingMessage,
  options: {
    cookie: CookieReader | undefined;
    acceptsUserCookie: () => boolean;
  },
): PresentedCredential {
  // Node keeps the first of several `Authorization` headers and drops the others, so only the raw headers show them.
  if (countRawHeaders(req, 'authorization') > 1) {
    return { kind: 'repeated-authorization' };
  }
  const authorization = req.headers.authorization;
  if (authorization) {
    const token = readBearer(req);
    return token ? { kind: 'bearer', token } : { kind: 'unsupported-scheme' };
  }
  const gateCookie = options.cookie?.read(req.headers.cookie);
  if (gateCookie?.kind === 'conflict') {
    return { kind: 'conflicting-cookies' };
  }
  if (gateCookie?.kind === 'token') {
    return { kind: 'cookie', token: gateCookie.token };
  }
  return options.acceptsUserCookie() ? readUserCookie(req) : { kind: 'none' };
}

/** Returns the bearer token of a request, if its `Authorization` holds one (RFC 6750, section 2.1). */
export function readBearer({ headers }: IncomingMessage): string | undefined {
  return headers.authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

function readUserCookie(req: IncomingMessage): PresentedCredential {
  const cookies = readCookies(req.headers.cookie, BACKSTAGE_AUTH_COOKIES);
  if (!cookies) {
    return { kind: 'conflicting-cookies' };
  }
  const token = cookies.get(BACKSTAGE_AUTH_COOKIE);
  return token ? { kind: 'user-cookie', token } : { kind: 'none' };
}

function countRawHeaders({ rawHeaders }: IncomingMessage, name: string) {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (isHeader(rawHeaders[i], name)) {
      count += 1;
    }
  }
  return count;
}
