import type { ServerResponse } from 'node:http';

// Akamai, Fastly and others (the W3C's note "Edge Architecture"), nginx.
const OTHER_NAMES: readonly string[] = [
  'edge-control',
  'surrogate-control',
  'x-accel-expires',
];

/**
 * Removes the headers that some shared caches prefer to `Cache-Control`: `CDN-Cache-Control`, those of single caches such as
 * `Cloudflare-CDN-Cache-Control`, whose names end alike (RFC 9213, section 2), and older ones.
 */
export function removeTargetedCacheControl(
  res: Pick<ServerResponse, 'getHeaderNames' | 'removeHeader'>,
): void {
  for (const name of res.getHeaderNames()) {
    if (name.endsWith('-cache-control') || OTHER_NAMES.includes(name)) {
      res.removeHeader(name);
    }
  }
}
