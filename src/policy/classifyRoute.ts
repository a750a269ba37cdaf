import type { ApiGateConfig } from '../config/readApiGateConfig';
import { isCookieEndpoint } from '../http/backstagePaths';
import { isBuiltInPublicRoute } from './isBuiltInPublicRoute';
import { isSignOutCall } from './isSignOutCall';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import type { AllowList } from './AllowList';
import type { AllowRule } from '../config/AllowRule';

/** The settings that decide what is public. */
export interface RoutePolicy {
  allowList: AllowList;
  config: { signOut: Pick<ApiGateConfig['signOut'], 'providers'> };
}

/** A request as far as it decides whether it is public. */
export interface Route {
  /** Id of the plugin, lower case. */
  plugin: string;
  /** `WEBSOCKET` stands for an upgrade. */
  method: string;
  /** Below the plugin, as the client sent it; `undefined` where routers and proxies may read it differently. */
  path: string | undefined;
  /** Whether this backend has the plugin. */
  isInstalled: boolean;
  /** Whether plugins serve their public keys. Default: true. */
  hasPluginKeys?: boolean;
}

/** The access of an anonymous request: an allow rule, `built-in-public` and `sign-out` let it pass, `protected` does not. */
export type RouteClass =
  AllowRule | 'built-in-public' | 'sign-out' | 'protected';

/**
 * Decides whether a request is public, for the gate, for `auth.apiGate.expect` and for the command `api-gate`. A credential makes
 * no difference here.
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
  // Nobody learns without a credential which plugins are installed, so that the cookie endpoint of every plugin is one.
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
