/** Where Backstage's `httpRouter` serves a plugin's public keys, below the plugin. */
export const PLUGIN_KEYS_PATH = '/.backstage/auth/v1/jwks.json';

/** Where the `auth` plugin serves the keys of user tokens, below the plugin. */
export const USER_KEYS_PATH = '/.well-known/jwks.json';

/** Where Backstage's `httpRouter` issues and clears its own cookie, below the plugin. */
export const COOKIE_PATH = '/.backstage/auth/v1/cookie';

/** Where this module serves its own routes, below the `auth` plugin. */
export const OWN_ROUTES_PATH = '/api-gate';

/** Whether a path is the cookie endpoint. Express matches it without case and with a trailing slash. */
export function isCookieEndpoint(path: string): boolean {
  return path.toLowerCase().replace(/\/$/, '') === COOKIE_PATH;
}

/**
 * What can't work behind a credential, for a plain path. Nothing is public by a header, an address or a query.
 *
 * - keys, where plugins have some: verifying a token fetches them from this same server, and would wait for itself
 * - `auth`: signing in uses it; it guards what needs guarding
 * - `app`: the frontend bundle, which has a protected mode of its own
 */
export function isPublicByNature(
  plugin: string,
  method: string,
  path: string,
  options: { hasPluginKeys: boolean },
): boolean {
  if (isCookieEndpoint(path)) {
    return false;
  }
  const reads = method === 'GET' || method === 'HEAD';
  switch (plugin) {
    case 'auth':
      return !isBelow(path.toLowerCase(), OWN_ROUTES_PATH);
    case 'app':
      return reads;
    default:
      return options.hasPluginKeys && reads && path === PLUGIN_KEYS_PATH;
  }
}

function isBelow(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}
