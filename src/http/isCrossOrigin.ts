import type { IncomingMessage } from 'node:http';

/**
 * Returns whether a page of another origin made a browser send a request: by `Sec-Fetch-Site`, which only browsers set, and by
 * `Origin` in browsers that do not send it. The result is false for a request without both headers.
 *
 * @param origin - the backend's own, serialised
 */
export function isCrossOrigin(
  { headers }: IncomingMessage,
  origin: string,
): boolean {
  const fetchSite = headers['sec-fetch-site'];
  return fetchSite === undefined
    ? headers.origin !== undefined && headers.origin !== origin
    : fetchSite !== 'same-origin' && fetchSite !== 'none';
}
