import type { Trust } from '../cookie/restrictResponse';
import { isCookieEndpoint } from '../http/backstagePaths';
import { hasNoDotSegments, isUnambiguousPath } from '../http/requestTarget';
import type { ExpressRequest } from './GateRequest';

/** Returns whether Backstage's own cookie is accepted: it may only read, and only where the plugin has declared it. */
export function acceptsUserCookie({
  method,
  path,
  plugin,
}: ExpressRequest): boolean {
  return reads(method, path) && plugin.acceptsUserCookie(path);
}

/**
 * Returns who trusts a response to a cookie to act as the user: the plugin, which has declared the path for cookies, or the operator,
 * whose setting names it.
 */
export function trustOfPath({
  method,
  path,
  plugin,
  policy,
}: ExpressRequest): Trust {
  if (reads(method, path) && plugin.isForCookies(path)) {
    return 'plugin';
  }
  return path !== undefined &&
    isUnambiguousPath(path) &&
    policy.isTrustedPath(plugin.id, path)
    ? 'operator'
    : undefined;
}

/** Returns whether a request reads at a path that stays the same once it is decoded. */
function reads(method: string, path: string | undefined): path is string {
  return (
    path !== undefined &&
    (method === 'GET' || method === 'HEAD') &&
    hasNoDotSegments(path)
  );
}

/** Returns whether frontends get the cookie at a path: at Backstage's cookie endpoint, or at the `/api/cookie` of the tutorial. */
export function isIssuanceEndpoint({
  pluginId,
  path,
}: ExpressRequest): boolean {
  return (
    path !== undefined &&
    (isCookieEndpoint(path) || (pluginId === 'cookie' && path === '/'))
  );
}
