import { clearCookie } from '../cookie/clearCookie';
import type { GateCookie } from '../cookie/GateCookie';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import type { Refusal } from '../decision/Refusal';
import { MaybePromise, then } from '../util/then';
import { findResourceMetadata } from './findResourceMetadata';
import type { ExpressRequest } from './GateRequest';

/** Sets the headers of the answer to a refused request. Its status and body follow from the refusal's `error`. */
export function setRefusalHeaders(
  request: ExpressRequest,
  refusal: Refusal,
  services: { cookie: GateCookie | undefined; plugins: BackendPlugins },
): MaybePromise<void> {
  const { req, res, pluginId, policy, reportedPath } = request;
  const { cookie, plugins } = services;
  const found =
    refusal.isFinal && reportedPath
      ? findResourceMetadata(pluginId, reportedPath, policy, plugins)
      : undefined;
  return then(found, resourceMetadata => {
    if (res.headersSent) {
      return;
    }
    refusal.applyTo(res, request.decisionId, resourceMetadata);
    // The browser recovers if a cookie that can never succeed later is cleared.
    if (refusal.isFinal && !req.headers.authorization) {
      clearCookie(cookie, req, res);
    }
  });
}
