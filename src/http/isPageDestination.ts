import type { IncomingMessage } from 'node:http';

/**
 * Returns whether a browser shows the answer to a request as a page, or in one, by `Sec-Fetch-Dest` (Fetch standard: the navigation
 * destinations). Browsers send it on https and to localhost. Without it the result follows from `Accept`, in which browsers name
 * HTML where they navigate.
 */
export function isPageDestination({ headers }: IncomingMessage): boolean {
  const destination = headers['sec-fetch-dest'];
  return typeof destination === 'string'
    ? /^(document|embed|object|.*frame)$/.test(destination)
    : /\btext\/html\b/i.test(headers.accept ?? '');
}
