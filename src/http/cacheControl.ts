import type { ServerResponse } from 'node:http';

// A directive of RFC 9111, section 5.2; its argument may be quoted, with commas in it.
const DIRECTIVE = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;

/**
 * Returns a `Cache-Control` that keeps an answer out of shared caches: with `private`, and without directives for shared caches.
 * A value that has `private` or `no-store` already is returned unchanged. Without any value, a shared cache may keep a 200 by its
 * own heuristics (RFC 9111, section 4.2.2); only `Authorization` in the request prevents that (section 3.5).
 */
export function toPrivateCacheControl(cacheControl: string): string {
  const directives = (cacheControl.match(DIRECTIVE) ?? [])
    .map(directive => directive.trim())
    .filter(Boolean);
  const nameOf = (directive: string) =>
    directive.split('=')[0].trim().toLowerCase();
  // `private="Set-Cookie"` keeps only that header out of shared caches.
  if (directives.some(each => /^(private|no-store)$/i.test(each))) {
    return cacheControl;
  }
  const kept = directives.filter(
    directive => !['public', 'private', 's-maxage'].includes(nameOf(directive)),
  );
  return ['private', ...kept].join(', ');
}

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
