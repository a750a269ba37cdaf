import { clearCookie } from '../cookie/clearCookie';
import type { GateCookie } from '../cookie/GateCookie';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import type { Refusal } from '../decision/Refusal';
import { findResourceMetadata } from './findResourceMetadata';
import type { ExpressRequest } from './GateRequest';

/** Sets the headers of the answer to a refused request. Its status and body follow from the refusal's `error`. */
export async function setRefusalHeaders(
  request: ExpressRequest,
  refusal: Refusal,
  services: { cookie: GateCookie | undefined; plugins: BackendPlugins },
): Promise<void> {
  const { req, res, pluginId, policy, reportedPath } = request;
  const { cookie, plugins } = services;
  const resourceMetadata =
    refusal.isFinal && reportedPath
      ? await findResourceMetadata(pluginId, reportedPath, policy, plugins)
      : undefined;
  if (res.headersSent) {
    return;
  }
  refusal.applyTo(res, request.decisionId, resourceMetadata);
  // The browser recovers if a cookie that can never succeed later is cleared.
  if (refusal.isFinal && !req.headers.authorization) {
    clearCookie(cookie, req, res);
  }
}
