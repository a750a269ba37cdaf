import type { ApiGateConfig } from '../config/readApiGateConfig';
import { isPublicByNature } from '../gate/isPublicByNature';
import { isSignOutCall } from '../gate/isSignOutCall';
import { WEBSOCKET } from '../http/requestMethod';
import { isPlainPath } from '../http/requestTarget';
import type { AllowList, AllowRule } from './AllowList';

/** The settings that decide what is public. */
export interface RoutePolicy {
  allowList: AllowList;
  config: Pick<ApiGateConfig, 'signOut'>;
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
}

/**
 * The access of an anonymous request: an allow rule, `built-in-public` and `sign-out` let it pass, the others need a credential.
 *
 * A `protected-sign-out` is a sign-out call for a plugin of another backend.
 */
export type RouteClass =
  | AllowRule
  | 'built-in-public'
  | 'sign-out'
  | 'protected'
  | 'protected-sign-out';

/**
 * Decides whether a request is public, for the gate, for `auth.apiGate.expect` and for the command `api-gate`. A credential makes
 * no difference here.
 */
export function classifyRoute(route: Route, policy: RoutePolicy): RouteClass {
  const { plugin, method, path, isInstalled } = route;
  // Decide by path only if every router and proxy would parse it the same way.
  if (path === undefined || !isPlainPath(path)) {
    return 'protected';
  }
  const { allowList, config } = policy;
  if (method === WEBSOCKET) {
    return allowList.match(plugin, WEBSOCKET, path) ?? 'protected';
  }
  const { providers } = config.signOut;
  const isSignOut = isSignOutCall(plugin, method, path, providers);
  if (isSignOut && isInstalled) {
    return 'sign-out';
  }
  if (isPublicByNature(plugin, method, path)) {
    return 'built-in-public';
  }
  return (
    allowList.match(plugin, method, path) ??
    (isSignOut ? 'protected-sign-out' : 'protected')
  );
}
