import type { Request } from 'express';
import type { CredentialsReader } from '../credentials/BackendPlugins';
import type { PresentedToken } from '../credentials/readCredential';
import { Refusal } from '../decision/Refusal';
import { isCookieEndpoint } from '../http/requestLine';
import { accept, Passed } from './decide';
import { findForeignTokens } from './foreignAuthorization';
import { ExpressRequest, readRequestToken } from './GateRequest';
import { findIssuer } from './issueCookie';
import { findMcpResource } from './resourceMetadata';
import {
  acceptsPrincipal,
  findKnownRefusal,
  findRefusal,
  isSubject,
  observeToken,
  VerifiedCredential,
} from './verifyCredential';

/**
 * Decides without a promise about nearly all traffic: requests with a token that is remembered, and requests without a credential.
 * A promise takes longer than most checks. For these requests it decides as `decide` does; a property holds that.
 *
 * @returns `undefined` for any other request, and where something has to be waited for; nothing was recorded then
 */
export function decideAtOnce(
  request: ExpressRequest,
): Passed | Refusal | undefined {
  const { isUpgrade, path, places, plugin, route } = request;
  if (
    route !== 'protected' ||
    isUpgrade ||
    !plugin.isRegistered ||
    !plugin.isUp() ||
    (places.isBound && findForeignTokens(request).length > 0)
  ) {
    return undefined;
  }
  const presented = readRequestToken(request);
  if (presented instanceof Refusal) {
    // The answer to an MCP client says where to sign in, which discovery is asked for.
    return findMcpResource(request) ? undefined : presented;
  }
  const startedAt = performance.now();
  // The `httpAuth` of a plugin that is not installed has to be made, and the cookie endpoint verifies Backstage's cookie.
  const verified =
    request.isInstalled && !isCookieEndpoint(path)
      ? recall(request, presented)
      : undefined;
  if (
    !verified ||
    findRefusal(verified, request) ||
    findIssuer(request, verified)
  ) {
    return undefined;
  }
  request.services.observer.verified((performance.now() - startedAt) / 1000);
  return accept(request, presented, verified);
}

/** Returns what `verifyCredential` resolves to, if the token is remembered and nothing has to be waited for. */
function recall(
  request: ExpressRequest,
  presented: PresentedToken,
): VerifiedCredential | undefined {
  const { plugin, policy, services } = request;
  const { keyEndpoints, ownIssuer, plugins, tokens } = services;
  const token = tokens.read(presented.token);
  const { claims, userToken } = token;
  if (
    // Backstage's own cookie gives limited access, which the credentials barrier asks for in its own way.
    presented.kind === 'user-cookie' ||
    findKnownRefusal(request, presented, token) ||
    !keyEndpoints.isCallerKnown(claims) ||
    (userToken && plugins.userKeysPlugin()?.isUp() === false) ||
    !ownIssuer.trustsAtOnce(userToken, policy)
  ) {
    return undefined;
  }
  const httpAuth = plugin.httpAuthFor(claims) as CredentialsReader;
  const credentials = httpAuth.recall?.(request.req as Request, token);
  if (
    !credentials ||
    !isSubject(credentials, token) ||
    !acceptsPrincipal(credentials, presented.kind)
  ) {
    return undefined;
  }
  observeToken(token, services);
  return { credentials, token };
}
