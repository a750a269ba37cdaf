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

/**
 * Returns whether a browser runs the answer to a request as code in the page that made it, by `Sec-Fetch-Dest` (Fetch standard:
 * the script-like destinations, `style` and `xslt`). Browsers send it on https and to localhost. A service worker's script has a
 * header of its own, which older browsers send too.
 */
export function isCodeDestination({ headers }: IncomingMessage): boolean {
  const destination = headers['sec-fetch-dest'];
  return (
    headers['service-worker'] !== undefined ||
    (typeof destination === 'string' &&
      /^(script|style|xslt|.*worker|.*worklet)$/.test(destination))
  );
}

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
