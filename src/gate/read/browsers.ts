import type { IncomingMessage } from 'node:http';
import { isWebSocketUpgrade } from './requestLine';

const SAFE_METHODS: ReadonlySet<string | undefined> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
]);

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

/** The destinations that a page may load from another origin without CORS (Fetch). The answer stays opaque: the page can't read it. */
const OPAQUE =
  /^(audio|document|embed|empty|.*frame|image|object|script|style|video)$/;

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

/**
 * Creates the check that keeps other sites from using a browser's cookies (CSRF). The check applies to requests that a cookie
 * authenticates, and to setting one. Browsers do not send bearer tokens on their own, so the check never applies to them.
 *
 * The rule is that of Go's `http.CrossOriginProtection`, tightened:
 *
 * - `Sec-Fetch-Site: same-origin` passes: only browsers set it
 * - `Sec-Fetch-Site: none` passes without an `Origin` only, where Go's rule passes it with any. Firefox sends `none` and
 *   `Origin: null` for a form of another page if that page and the redirect between send `Referrer-Policy: no-referrer`
 * - an `Origin` of the frontend, the backend or a trusted origin passes; any other one does not, nor do `null` and several. GET
 *   is no exception: `backend.cors.origin` may let the pages of more origins read the answer
 * - without an `Origin`, GET, HEAD and OPTIONS pass: they must change nothing, and no other origin can read the answer
 * - a `Sec-Fetch-Dest` that the Fetch standard loads from other origins by CORS only, or not at all, does not pass then: WebKit
 *   loads another page's font, which the page can use, with the cookie and without an `Origin`, and sends `Sec-Fetch-Mode: no-cors`
 * - without both headers, a request passes: it is not from a browser, or from one before 2020 that is not known to be safe. Other
 *   clients have no cookies but those that they set themselves
 * - a WebSocket handshake is a GET whose answer any origin may read: it always needs a listed `Origin`
 *
 * The check never compares anything with `Host`, which proxies rewrite.
 *
 * @param trustedOrigins - serialised origins, such as `https://backstage.example.com`
 * @returns whether a request is cross-site, so that the gate ignores its cookies; `asMethod` replaces the request's method
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
    // Node joins several headers of one of these names by a comma, so several values equal none of the values below.
    const fetchSite = headers['sec-fetch-site'];
    if (fetchSite === 'same-origin') {
      return false;
    }
    if (origin !== undefined) {
      return !trusted.has(origin);
    }
    const isByPage = fetchSite !== undefined && fetchSite !== 'none';
    const destination = headers['sec-fetch-dest'];
    return (
      (isByPage && !SAFE_METHODS.has(method)) ||
      (destination !== undefined && !OPAQUE.test(String(destination)))
    );
  };
}

// RFC 9110, section 8.3.1. A comma separates several types, or several headers that were joined.
const MEDIA_TYPE =
  /^[ \t]*([!#$%&'*+\-.^_`|~\w]+\/[!#$%&'*+\-.^_`|~\w]+)[ \t]*(;[^,]*)?$/;

// Browsers show these types, download them, or pass them to a script that requested them, and run no script in them. Browsers
// never sniff `text/plain` and `application/octet-stream` as HTML; they do sniff `*/*` and `unknown/unknown`.
const INERT = [
  /^(audio|font|image|video)\/(?!.*(svg|xml))/,
  /^text\/(calendar|css|csv|event-stream|javascript|markdown|plain|tab-separated-values|vcard|vtt|yaml)$/,
  /^application\/(gzip|javascript|json|octet-stream|ogg|pdf|wasm|yaml|zip)$/,
  /^application\/[^+]+\+(json|zip)$/,
  /^application\/(x-(7z-compressed|bzip2?|gzip|ndjson|tar|xz|yaml|zip-compressed)|vnd\.(ms-[a-z.-]+|oasis\.opendocument\.[a-z.-]+|openxmlformats-officedocument\.[a-z.-]+))$/,
];

/**
 * Returns whether a browser may run script in an answer that it opens as a page: HTML, XHTML, SVG and other XML, MHTML,
 * `multipart/x-mixed-replace`. The result is also true for unlisted types, several types, and no type.
 *
 * @param contentType - as `res.getHeader` returns it
 */
export function canRunScript(
  contentType: string | number | string[] | undefined,
): boolean {
  // Most answers are JSON, as Express writes its type. They need no comparison with the patterns.
  if (contentType === 'application/json; charset=utf-8') {
    return false;
  }
  const type = String(contentType).match(MEDIA_TYPE)?.[1].toLowerCase();
  return type === undefined || !INERT.some(inert => inert.test(type));
}
