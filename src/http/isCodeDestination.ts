import type { IncomingMessage } from 'node:http';

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
