import { PresentedToken, readCredential } from '../credentials/readCredential';
import { Refusal } from '../decision/Refusal';
import { isCodeDestination } from '../http/browsers';
import { hasNoDotSegments, isUnambiguousPath } from '../http/requestLine';
import type { GateRequest } from './GateRequest';

/** Who trusts a path: the plugin by declaring it for cookies, or the operator by a setting. */
export type Trust = 'plugin' | 'operator' | undefined;

/**
 * Returns the token that a request presents, and notes its kind in the request; a refusal unless the request presents exactly one,
 * and for a cookie that may not be used: if another site's page uses it, or if the answer would run in the page that requested it.
 */
export function readRequestToken(
  request: GateRequest,
): PresentedToken | Refusal {
  const { places, policy, req } = request;
  const presented = readCredential(req, places, () =>
    acceptsUserCookie(request),
  );
  if (presented instanceof Refusal) {
    return presented;
  }
  request.credential = presented.kind;
  if (presented.kind === 'bearer') {
    return presented;
  }
  if (policy.isCrossSite(req)) {
    return Refusal.because('cross-site');
  }
  return isCodeDestination(req) && !trustOf(request)
    ? Refusal.because('unsafe-destination')
    : presented;
}

/**
 * Returns who trusts a response to a cookie to act as the user: the plugin, which has declared the path for cookies, or the operator,
 * whose setting names it.
 */
export function trustOf(request: GateRequest): Trust {
  const { path, plugin, policy } = request;
  if (acceptsUserCookie(request)) {
    return 'plugin';
  }
  return path !== undefined &&
    isUnambiguousPath(path) &&
    policy.isTrustedPath(plugin.id, path)
    ? 'operator'
    : undefined;
}

/** Returns whether Backstage's own cookie is accepted: it may only read, and only where the plugin has declared it. */
function acceptsUserCookie({ method, path, plugin }: GateRequest): boolean {
  return (
    path !== undefined &&
    (method === 'GET' || method === 'HEAD') &&
    // The path stays the same once it is decoded.
    hasNoDotSegments(path) &&
    plugin.acceptsUserCookie(path)
  );
}
