import {
  isCookieEndpoint,
  isRead,
  isUnambiguousPath,
  OWN_ROUTES_PATH,
  PLUGIN_KEYS_PATH,
  WEBSOCKET,
} from '../read/requestLine';
import type { AllowList } from './AllowList';
import type { GateSettings } from './GateSettings';
import { AllowRule, PLUGIN_ID } from './AllowRule';

export interface RoutePolicy {
  allowList: AllowList;
  config: { signOut: Pick<GateSettings['signOut'], 'providers'> };
}

export interface Route {
  /** In lower case. */
  pluginId: string;
  /** The method; `WEBSOCKET` stands for an upgrade. */
  method: string;
  /** The path below the plugin as the client sent it; `undefined` if routers and proxies may read it differently. */
  path: string | undefined;
  isInstalled: boolean;
}

/** The access of an anonymous request: an allow rule, `built-in-public` and `sign-out` let it pass, `protected` does not. */
export type RouteClass =
  AllowRule | 'built-in-public' | 'sign-out' | 'protected';

/**
 * Decides whether a request is public, for the gate, and for the command `api-gate`. The result does
 * not depend on a credential.
 *
 * @param now - in milliseconds since 1970
 */
export function classifyRoute(
  { pluginId, method, path, isInstalled }: Route,
  policy: RoutePolicy,
  now: number,
): RouteClass {
  // Decide by path only if every router and proxy would parse it the same way.
  if (path === undefined || !isUnambiguousPath(path)) {
    return 'protected';
  }
  const { allowList, config } = policy;
  // The logout of a provider counts only where `auth` is installed. The cookie endpoint of every plugin is treated alike, so that an
  // anonymous client can't find out which plugins are installed.
  if (
    isSignOutCall(pluginId, method, path, config.signOut.providers) &&
    (isInstalled || isCookieEndpoint(path))
  ) {
    return 'sign-out';
  }
  if (method !== WEBSOCKET && isBuiltInPublicRoute(pluginId, method, path)) {
    return 'built-in-public';
  }
  return allowList.match(pluginId, method, path, now) ?? 'protected';
}

/**
 * Returns whether a request is one of the two by which stock Backstage frontends sign out. Both send cookies and no bearer token.
 *
 * - `POST /api/auth/<provider>/logout`, of a provider that signs users in. The same call of another provider disconnects an
 *   account in the settings
 * - `DELETE /api/<plugin>/.backstage/auth/v1/cookie`
 *
 * @param providers - ids of the providers that sign users in, in lower case
 */
function isSignOutCall(
  plugin: string,
  method: string,
  path: string,
  providers: ReadonlySet<string>,
): boolean {
  if (method === 'DELETE') {
    return isCookieEndpoint(path);
  }
  if (method === 'POST' && plugin === 'auth') {
    const [, provider, action, ...rest] = path.toLowerCase().split('/');
    return action === 'logout' && rest.length === 0 && providers.has(provider);
  }
  return false;
}

/**
 * Returns whether a request is public because Backstage can't work with a credential in front of it. Headers, addresses and queries
 * make no request public.
 *
 * - keys: verifying a token fetches them from this same server, and would wait for itself. Not those of
 *   an id that no plugin can have, such as `x.example.com`: discovery may put it into the name of the host that the gateway asks
 * - `auth`: sign-in uses it, and the plugin checks credentials where they are needed
 * - `app`: the frontend bundle, which has its own protected mode
 */
function isBuiltInPublicRoute(
  plugin: string,
  method: string,
  path: string,
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
      return isPluginKeys(method, path) && PLUGIN_ID.test(plugin);
  }
}

/** Returns whether a request is for the public keys of a plugin, with an unambiguous path below it. */
export function isPluginKeys(
  method: string,
  path: string | undefined,
): boolean {
  return isRead(method) && path === PLUGIN_KEYS_PATH;
}

/** Returns whether a path below the `auth` plugin is one of this module's own routes. */
export function isOwnRoute(path: string): boolean {
  return `${path}/`.toLowerCase().startsWith(`${OWN_ROUTES_PATH}/`);
}
