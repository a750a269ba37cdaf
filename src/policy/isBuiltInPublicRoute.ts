import {
  isCookieEndpoint,
  OWN_ROUTES_PATH,
  PLUGIN_KEYS_PATH,
} from '../http/backstagePaths';

/**
 * Whether a request with a plain path is public because Backstage can't work with a credential in front of it. Nothing is public by a
 * header, an address or a query.
 *
 * - keys, where plugins have some: verifying a token fetches them from this same server, and would wait for itself
 * - `auth`: signing in uses it; it guards what needs guarding
 * - `app`: the frontend bundle, which has a protected mode of its own
 */
export function isBuiltInPublicRoute(
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
