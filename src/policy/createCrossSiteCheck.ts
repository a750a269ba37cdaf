import type { IncomingMessage } from 'node:http';
import { isWebSocketUpgrade } from '../http/requestMethod';

const SAFE_METHODS: ReadonlySet<string | undefined> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
]);

/**
 * Makes the check that keeps other sites from using a browser's cookies (CSRF). It is for requests that a cookie
 * authenticates, and for setting one; a bearer token is not sent by a browser of its own accord, and is never judged by it.
 *
 * The rule is that of Go's `http.CrossOriginProtection`, tightened:
 *
 * - `Sec-Fetch-Site: same-origin` or `none` (a person's own doing) passes: browsers alone set it
 * - an `Origin` of the frontend, the backend or a trusted origin passes; any other one does not, nor do `null` and several.
 *   That is so for GET too: `backend.cors.origin` may let the pages of more origins read the answer
 * - without an `Origin`, GET, HEAD and OPTIONS pass: they must change nothing, and no other origin can read the answer
 * - neither header: not a browser, or one from before 2020 that is not known to be safe; it passes, as such clients have
 *   no cookies but those that they set themselves
 * - a WebSocket handshake is a GET whose answer any origin may read: it needs a listed `Origin`, always
 *
 * Nothing is ever compared with `Host`, which proxies rewrite.
 *
 * @param trustedOrigins - serialised origins, such as `https://backstage.example.com`
 * @returns whether a request is cross-site, so that its cookies don't count; `asMethod` judges it as one of another method
 */
export function createCrossSiteCheck(
  trustedOrigins: Iterable<string>,
): (req: IncomingMessage, asMethod?: string) => boolean {
  const trusted = new Set(trustedOrigins);
  return (req, method = req.method) => {
    const { headers } = req;
    const { origin } = headers;
    if (isWebSocketUpgrade(req)) {
      return origin === undefined || !trusted.has(origin);
    }
    // Node joins several headers of one of these names by a comma, so that several are none of the values below.
    const fetchSite = headers['sec-fetch-site'];
    if (fetchSite === 'same-origin' || fetchSite === 'none') {
      return false;
    }
    if (origin !== undefined) {
      return !trusted.has(origin);
    }
    return fetchSite !== undefined && !SAFE_METHODS.has(method);
  };
}
