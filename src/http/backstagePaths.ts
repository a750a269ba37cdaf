/** The path of a plugin's public keys, below the plugin, as Backstage's `httpRouter` serves them. */
export const PLUGIN_KEYS_PATH = '/.backstage/auth/v1/jwks.json';

/** The path of the keys of user tokens, below the `auth` plugin. */
export const USER_KEYS_PATH = '/.well-known/jwks.json';

/** The path that ends the refresh tokens of a user, below the `auth` plugin. */
export const OFFLINE_SESSIONS_PATH = '/v1/offline-sessions/revoke';

/** The path where Backstage's `httpRouter` issues and clears its own cookie, below the plugin. */
export const COOKIE_PATH = '/.backstage/auth/v1/cookie';

/** The path of this module's own routes, below the `auth` plugin. */
export const OWN_ROUTES_PATH = '/api-gate';
export const PAGE_PATH: string = `${OWN_ROUTES_PATH}/`;
export const POLICY_PATH = `${OWN_ROUTES_PATH}/v1/policy`;
export const REVOCATIONS_PATH = `${OWN_ROUTES_PATH}/v1/revocations`;
export const LOCKED_USERS_PATH = `${OWN_ROUTES_PATH}/v1/revocations/locked`;
/** The path of a user's lock. The reference of the user has a slash. */
export const LOCK_PATH: string = `${OWN_ROUTES_PATH}/v1/revocations/*`;

/** Returns whether a path is the cookie endpoint. Express matches it without case and with a trailing slash. */
export function isCookieEndpoint(path: string | undefined): boolean {
  return path?.toLowerCase().replace(/\/$/, '') === COOKIE_PATH;
}
