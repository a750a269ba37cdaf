import type { Request } from 'express';
import {
  isUnambiguousPath,
  pathBelowPlugin,
  hasNoDotSegments,
  withoutQuery,
} from '../http/requestTarget';
import type { TargetPlugin } from '../credentials/BackendPlugins';
import type { Policy } from '../policy/Policy';
import { COOKIE_PATH, isCookieEndpoint } from '../http/backstagePaths';

/**
 * Returns the path below the plugin's mount; for the cookie endpoint that the root router serves once more at `/`, its path
 * there. `undefined` where nothing may be decided by the path.
 */
export function pathOf(req: Request, plugin: TargetPlugin): string | undefined {
  const path = pathBelowPlugin(req, plugin.mountedAs);
  return path === undefined &&
    isCookieEndpoint(req.baseUrl) &&
    withoutQuery(req.originalUrl) === req.baseUrl
    ? COOKIE_PATH
    : path;
}

/** Whether Backstage's own cookie is accepted: it may only read, and only where the plugin has declared it. */
export function acceptsUserCookie(
  method: string,
  path: string | undefined,
  plugin: TargetPlugin,
): boolean {
  return reads(method, path) && plugin.acceptsUserCookie(path);
}

/** Whether what a cookie opens at a path may act as the user: its plugin has declared it for cookies, or the operator trusts it. */
export function isTrustedPath(
  method: string,
  path: string | undefined,
  plugin: TargetPlugin,
  policy: Policy,
): boolean {
  return (
    (reads(method, path) && plugin.isForCookies(path)) ||
    (path !== undefined &&
      isUnambiguousPath(path) &&
      policy.isTrustedPath(plugin.id, path))
  );
}

/** Whether a request reads at a path that stays the same once it is decoded. */
function reads(method: string, path: string | undefined): path is string {
  return (
    path !== undefined &&
    (method === 'GET' || method === 'HEAD') &&
    hasNoDotSegments(path)
  );
}

/** Whether frontends get the cookie at a path: at Backstage's cookie endpoint, or at the `/api/cookie` of the tutorial. */
export function isIssuanceEndpoint(
  plugin: string,
  path: string | undefined,
): boolean {
  return (
    path !== undefined &&
    (isCookieEndpoint(path) || (plugin === 'cookie' && path === '/'))
  );
}
