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
