import type { IncomingMessage } from 'node:http';

/**
 * Whether a page of another origin made a browser send a request: by `Sec-Fetch-Site`, which browsers alone set; by `Origin` in
 * browsers that do not send it. A request with neither is not taken for one.
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
