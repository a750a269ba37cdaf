/** Where Backstage's `httpRouter` serves a plugin's public keys, below the plugin. */
export const PLUGIN_KEYS_PATH = '/.backstage/auth/v1/jwks.json';

/** Where the `auth` plugin serves the keys of user tokens, below the plugin. */
export const USER_KEYS_PATH = '/.well-known/jwks.json';

/** Where Backstage's `httpRouter` issues and clears its own cookie, below the plugin. */
export const COOKIE_PATH = '/.backstage/auth/v1/cookie';

/** Where this module serves its own routes, below the `auth` plugin. */
export const OWN_ROUTES_PATH = '/api-gate';
export const POLICY_PATH = `${OWN_ROUTES_PATH}/v1/policy`;
export const REVOCATIONS_PATH = `${OWN_ROUTES_PATH}/v1/revocations`;

/** Whether a path is the cookie endpoint. Express matches it without case and with a trailing slash. */
export function isCookieEndpoint(path: string): boolean {
  return path.toLowerCase().replace(/\/$/, '') === COOKIE_PATH;
}
