import type { IncomingMessage } from 'node:http';
import type { Request } from 'express';

/** Stands for a WebSocket upgrade in allow rules and reports. */
export const WEBSOCKET = 'WEBSOCKET';

/** Returns the method of a request. The result is `WEBSOCKET` for a handshake, which is sent as GET (RFC 6455, section 4.1). */
export function requestMethod(req: IncomingMessage): string {
  const { method = '' } = req;
  return method === 'GET' && isWebSocketUpgrade(req) ? WEBSOCKET : method;
}

/** Returns whether a method reads only, so that a cache may store the answer. */
export function isRead(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Returns whether a request asks for a WebSocket, by the same test as Backstage and `ws`. */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Returns whether Node treats a request as an upgrade, and passes it to the listeners for `upgrade` if the server has any. */
export function asksForUpgrade({ headers }: IncomingMessage): boolean {
  const options = headers.connection?.split(',') ?? [];
  return (
    headers.upgrade !== undefined &&
    options.some(option => option.trim().toLowerCase() === 'upgrade')
  );
}

// Printable ASCII after a leading slash, without `#` and `\`. Other characters, and other forms of a target, make `parseurl`
// rewrite the path, so that the router that serves a request reads another path than the gate.
export const ORIGIN_FORM = /^\/[!"$-[\]-~]*$/;

// No segment is empty or a dot segment, and each has characters of RFC 3986 only: unreserved, `:`, `@` and the sub-delims,
// without `;`: some servers read `/..;/` as a dot segment.
const PLAIN_PATH =
  /^\/$|^(?:\/(?!\.\.?(?:\/|$))[A-Za-z0-9\-._~!$&'()*+,=:@]+)+$/;

/** Returns a target as Express presents it at a mount that the target begins with. */
export function mountedAt(baseUrl: string, originalUrl: string) {
  const rest = originalUrl.slice(baseUrl.length);
  return {
    originalUrl,
    baseUrl,
    url: rest.startsWith('/') ? rest : `/${rest}`,
  };
}

/**
 * Returns the path below the plugin's mount as the client sent it, without the query (RFC 9112, section 3.2.1: origin-form).
 *
 * The result is `undefined` if the raw target and Express's reading of it differ, or might differ at the next router. A
 * credential can still open such a request; no decision depends on its path.
 *
 * @param mountedAs - the plugin's id as the plugin spells it: another spelling is another path, though Express serves it
 */
export function pathBelowPlugin(
  req: Pick<Request, 'originalUrl' | 'baseUrl' | 'url'>,
  mountedAs: string,
): string | undefined {
  const { originalUrl: target, baseUrl, url } = req;
  if (
    !ORIGIN_FORM.test(target) ||
    !target.startsWith(baseUrl) ||
    !baseUrl.endsWith(`/api/${mountedAs}`) ||
    url !== mountedAt(baseUrl, target).url
  ) {
    return undefined;
  }
  const path = withoutQuery(target.slice(baseUrl.length));
  // `/api/pub` is the plugin's root, `/`. `/api/pub/` is another path that Express reads the same.
  return path === '/' ? undefined : path || '/';
}

/**
 * Returns the path below the mount as Express reads it, for reports; `undefined` for a target without a path (`foo://any/api/x`),
 * and for a target that is unreadable after Express has cut it at the mount (`http://[::1]/api/"/absent/x`).
 */
export function expressPath(req: Request): string | undefined {
  try {
    // Express returns null for a target without a path.
    return (req.path as string | null) ?? undefined;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether every router and server reads a path the same: it has no escapes, no empty or dot segments, and only characters
 * that none of them treats specially. Only such a path may use the allowlist. The gate never rewrites other paths.
 */
export function isUnambiguousPath(path: string): boolean {
  return PLAIN_PATH.test(path);
}

/**
 * Returns whether a path keeps its meaning after decoding: no segment is then empty or a dot segment. Other escapes are allowed,
 * as in the names of files.
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

export function withoutQuery(target: string): string {
  const query = target.indexOf('?');
  return query === -1 ? target : target.slice(0, query);
}

/** The path of a plugin's public keys, below the plugin, as Backstage's `httpRouter` serves them. */
export const PLUGIN_KEYS_PATH = '/.backstage/auth/v1/jwks.json';

/** The path of the keys of user tokens, below the `auth` plugin. */
export const USER_KEYS_PATH = '/.well-known/jwks.json';

/** The path where Backstage's `httpRouter` issues and clears its own cookie, below the plugin. */
export const COOKIE_PATH = '/.backstage/auth/v1/cookie';

/** The path of this module's own routes, below the `auth` plugin. */
export const OWN_ROUTES_PATH = '/api-gate';
export const PAGE_PATH: string = `${OWN_ROUTES_PATH}/`;
export const POLICY_PATH = `${OWN_ROUTES_PATH}/v1/policy`;
export const REVOCATIONS_PATH = `${OWN_ROUTES_PATH}/v1/revocations`;

const COOKIE_ENDPOINT = new RegExp(
  `^${COOKIE_PATH.replaceAll('.', '\\.')}/?$`,
  'i',
);

/** Returns whether a path is the cookie endpoint. Express matches it without case and with a trailing slash. */
export function isCookieEndpoint(path = ''): boolean {
  return COOKIE_ENDPOINT.test(path);
}
