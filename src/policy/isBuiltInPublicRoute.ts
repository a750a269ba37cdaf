import { PLUGIN_ID } from '../config/readAllowRules';
import {
  isCookieEndpoint,
  OWN_ROUTES_PATH,
  PLUGIN_KEYS_PATH,
} from '../http/backstagePaths';

/**
 * Returns whether a request with an unambiguous path is public because Backstage can't work with a credential in front of it.
 * Headers, addresses and queries make no request public.
 *
 * - keys, if plugins have their own: verifying a token fetches them from this same server, and would wait for itself. Not those of
 *   an id that no plugin can have, such as `x.example.com`: discovery may put it into the name of the host that the gateway asks
 * - `auth`: sign-in uses it, and the plugin checks credentials where they are needed
 * - `app`: the frontend bundle, which has its own protected mode
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
  switch (plugin) {
    case 'auth':
      return !isOwnRoute(path);
    case 'app':
      return isRead(method);
    default:
      return (
        options.hasPluginKeys &&
        isPluginKeys(method, path) &&
        PLUGIN_ID.test(plugin)
      );
  }
}

/** Returns whether a request is for the public keys of a plugin, with an unambiguous path below it. */
export function isPluginKeys(method: string, path: string): boolean {
  return isRead(method) && path === PLUGIN_KEYS_PATH;
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Returns whether a path below the `auth` plugin is one of this module's own routes. */
export function isOwnRoute(path: string): boolean {
  const lower = path.toLowerCase();
  return lower === OWN_ROUTES_PATH || lower.startsWith(`${OWN_ROUTES_PATH}/`);
}
