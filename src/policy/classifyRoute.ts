import type { ApiGateConfig } from '../config/readApiGateConfig';
import { isCookieEndpoint } from '../http/backstagePaths';
import { isBuiltInPublicRoute } from './isBuiltInPublicRoute';
import { isSignOutCall } from './isSignOutCall';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import type { AllowList } from './AllowList';
import type { AllowRule } from '../config/AllowRule';

/** The settings that decide whether a route is public. */
export interface RoutePolicy {
  allowList: AllowList;
  config: { signOut: Pick<ApiGateConfig['signOut'], 'providers'> };
}

/** The parts of a request that decide whether it is public. */
export interface Route {
  /** The plugin's id in lower case. */
  plugin: string;
  /** The method; `WEBSOCKET` stands for an upgrade. */
  method: string;
  /** The path below the plugin as the client sent it; `undefined` if routers and proxies may read it differently. */
  path: string | undefined;
  isInstalled: boolean;
  /** Whether plugins serve their public keys. Default: true. */
  hasPluginKeys?: boolean;
}

/** The access of an anonymous request: an allow rule, `built-in-public` and `sign-out` let it pass, `protected` does not. */
export type RouteClass =
  AllowRule | 'built-in-public' | 'sign-out' | 'protected';

/**
 * Decides whether a request is public, for the gate, for `auth.apiGate.expect` and for the command `api-gate`. The result does
 * not depend on a credential.
 */
export function classifyRoute(route: Route, policy: RoutePolicy): RouteClass {
  const { plugin, method, path, isInstalled, hasPluginKeys = true } = route;
  // Decide by path only if every router and proxy would parse it the same way.
  if (path === undefined || !isUnambiguousPath(path)) {
    return 'protected';
  }
  const { allowList, config } = policy;
  if (method === WEBSOCKET) {
    return allowList.match(plugin, WEBSOCKET, path) ?? 'protected';
  }
  const { providers } = config.signOut;
  // Treat the cookie endpoint of every plugin alike, so that an anonymous client can't find out which plugins are installed.
  if (
    isSignOutCall(plugin, method, path, providers) &&
    (isInstalled || isCookieEndpoint(path))
  ) {
    return 'sign-out';
  }
  if (isBuiltInPublicRoute(plugin, method, path, { hasPluginKeys })) {
    return 'built-in-public';
  }
  return allowList.match(plugin, method, path) ?? 'protected';
}
