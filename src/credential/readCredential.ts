import type { IncomingMessage } from 'node:http';
import { readCookie } from '../cookie/cookieHeader';

/** The name of the cookie in which Backstage's own `httpAuth` keeps a limited user token. */
export const STOCK_COOKIE = 'backstage-auth';

/** What a request presents. `conflict`: more than one value where there must be one, so none is believed. */
export type PresentedCredential =
  | { kind: 'none' }
  | { kind: 'bearer'; token: string }
  | { kind: 'cookie'; token: string }
  | { kind: 'stock-cookie'; token: string }
  | { kind: 'repeated-authorization' }
  | { kind: 'unsupported-scheme' }
  | { kind: 'conflicting-cookies' };

/**
 * Reads the one credential of a request. A second kind is never tried when the first fails.
 *
 * - `Authorization`, unless empty, is final: a bearer token (RFC 6750, section 2.1) or nothing that this gate accepts
 * - else the gate's cookie, else Backstage's own where `acceptStockCookie` says so
 */
export function readCredential(
  req: IncomingMessage,
  options: { cookieName: string | undefined; acceptStockCookie: boolean },
): PresentedCredential {
  // Node keeps the first of several `Authorization` headers and drops the others: only the raw ones tell.
  if (countRawHeaders(req, 'authorization') > 1) {
    return { kind: 'repeated-authorization' };
  }
  const authorization = req.headers.authorization;
  if (authorization) {
    const token = authorization.match(/^Bearer +(\S+)$/i)?.[1];
    return token ? { kind: 'bearer', token } : { kind: 'unsupported-scheme' };
  }
  const gateCookie = options.cookieName
    ? readCookie(req.headers.cookie, options.cookieName)
    : undefined;
  if (gateCookie) {
    return gateCookie.conflicting
      ? { kind: 'conflicting-cookies' }
      : { kind: 'cookie', token: gateCookie.value };
  }
  const stockCookie = options.acceptStockCookie
    ? readCookie(req.headers.cookie, STOCK_COOKIE)
    : undefined;
  if (stockCookie) {
    return stockCookie.conflicting
      ? { kind: 'conflicting-cookies' }
      : { kind: 'stock-cookie', token: stockCookie.value };
  }
  return { kind: 'none' };
}

function countRawHeaders({ rawHeaders }: IncomingMessage, name: string) {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].toLowerCase() === name) {
      count += 1;
    }
  }
  return count;
}
