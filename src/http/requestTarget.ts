import type { Request } from 'express';

// Printable ASCII from a leading slash on, without `#` and `\`. Other characters, and other forms of a target, make
// `parseurl` rewrite the path, so that the router that serves a request reads another path than the gate read.
export const ORIGIN_FORM = /^\/[!"$-[\]-~]*$/;

// RFC 3986: unreserved, `:`, `@` and the sub-delims, without `;`: to some servers, `/..;/` is a dot segment.
const PLAIN_PATH = /^[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/;

/**
 * The path below the plugin's mount as the client sent it, without the query (RFC 9112, section 3.2.1: origin-form).
 *
 * `undefined` where the raw target and what Express made of it differ, or might to the next router. Such a request can
 * still be served with a credential; nothing is ever decided by its path.
 *
 * @param mountedAs - the plugin's id as the plugin spells it: another spelling is another path, though Express serves it
 */
export function pathBelowPlugin(
  req: Pick<Request, 'originalUrl' | 'baseUrl' | 'url'>,
  mountedAs: string,
): string | undefined {
  const { originalUrl: target, baseUrl, url } = req;
  if (!ORIGIN_FORM.test(target)) {
    return undefined;
  }
  if (!baseUrl.endsWith(`/api/${mountedAs}`) || !target.startsWith(baseUrl)) {
    return undefined;
  }
  const rest = target.slice(baseUrl.length);
  if (url !== (rest.startsWith('/') ? rest : `/${rest}`)) {
    return undefined;
  }
  const path = withoutQuery(rest);
  // `/api/pub` is the plugin's root, `/`. `/api/pub/` is another path that Express reads the same.
  return path === '/' ? undefined : path || '/';
}

/**
 * The path below the mount as Express reads it, for reports; `undefined` for a target that has none (`foo://any/api/x`), and for
 * one of which Express's cut at the mount has left what can't be read (`http://[::1]/api/"/absent/x`).
 */
export function expressPath(req: Request): string | undefined {
  try {
    return req.path;
  } catch {
    return undefined;
  }
}

/**
 * Whether a path reads the same to every router and server: no escapes, no empty or dot segments, and only characters
 * that none of them treats specially. Only such a path may use the allowlist. Everything else is refused, never rewritten.
 */
export function isUnambiguousPath(path: string): boolean {
  if (!PLAIN_PATH.test(path)) {
    return false;
  }
  return (
    path === '/' ||
    path
      .slice(1)
      .split('/')
      .every(segment => segment !== '' && segment !== '.' && segment !== '..')
  );
}

/**
 * Whether a path leads to where it says once someone has decoded it: no segment is then empty or a dot segment. Escapes as
 * such are well, as in the names of files.
 */
export function hasNoDotSegments(path: string): boolean {
  try {
    return decodeURIComponent(path)
      .slice(1)
      .split(/[/\\]/)
      .every(segment => !/^\.{0,2}(;|$)/.test(segment));
  } catch {
    return false;
  }
}

/** Everything before the first `?`. */
export function withoutQuery(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}
