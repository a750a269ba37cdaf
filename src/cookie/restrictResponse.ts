import type { Response } from 'express';
import onHeaders from 'on-headers';
import { canRunScript } from '../http/canRunScript';
import { toPrivateCacheControl } from '../http/toPrivateCacheControl';

// Some shared caches prefer these to `Cache-Control` (RFC 9213; nginx).
const OTHER_CACHE_HEADERS = [
  'CDN-Cache-Control',
  'Surrogate-Control',
  'X-Accel-Expires',
];

/**
 * Restricts the response to a request that a cookie authenticated, when its headers are written: proxies replace headers late.
 *
 * - No shared cache may keep it. `Vary: Cookie` is not needed then, and would make the browser's own cache useless, as the
 *   cookie changes with each sign-in.
 * - Unless `isTrusted`, what can run script is sandboxed: no navigation sends `Authorization`, so that without the cookie nobody
 *   could open a plugin's answer as a page, and its script must not act as the user. The policy is added to any other ones.
 */
export function restrictResponse(
  res: Response,
  { isTrusted }: { isTrusted: boolean },
): void {
  onHeaders(res, () => {
    const cacheControl = [res.getHeader('Cache-Control') ?? []].flat();
    res.setHeader(
      'Cache-Control',
      toPrivateCacheControl(cacheControl.join(', ')),
    );
    OTHER_CACHE_HEADERS.forEach(name => res.removeHeader(name));
    if (!isTrusted) {
      sandbox(res);
    }
  });
}

function sandbox(res: Response) {
  if (res.statusCode === 304) {
    // Browsers replace the policies of the stored response by those of a 304, which has no type to decide by.
    res.removeHeader('Content-Security-Policy');
  } else if (
    res.statusCode !== 204 &&
    canRunScript(res.getHeader('Content-Type'))
  ) {
    res.appendHeader('Content-Security-Policy', 'sandbox');
  }
}
