import { issueCookie } from '../cookie/issueCookie';
import type { GateAnswer, Judgement, SignOut } from '../judge/judge';
import type { ExpressRequest, GateRequest } from '../read/GateRequest';
import { findBearer } from '../read/readCredential';
import { isCookieEndpoint } from '../read/requestLine';
import { isPluginKeys } from '../rules/classifyRoute';
import type { EndedSessions } from '../GateServices';
import { Refusal } from '../Refusal';
import type { Revocation, SessionClaims } from '../sessions/Revocation';
import { awaited, Steps } from '../verify/steps';
import { clearCookie } from './answer';

/** The plugin that serves Backstage's actions to MCP clients. */
const MCP_PLUGIN = 'mcp-actions';

/**
 * Carries out the parts of a judgement that may have to be waited for: sessions are revoked, the cookie is issued, and the gate's own
 * answers are made. The judgement becomes a refusal if one of them fails.
 */
export function* carryOutEffects(
  request: GateRequest,
  judgement: Judgement,
): Steps<void> {
  const { reason, signOut, verified } = judgement;
  // Upgrades get neither a cookie nor an answer, and are no sign-out calls.
  const inExpress = request as ExpressRequest;
  if (signOut) {
    yield* endSessions(inExpress, judgement, signOut);
  } else if (reason === 'built-in-public') {
    judgement.answer = yield* answerKeys(request);
  } else if (reason === 'bearer' && !request.isUpgrade) {
    yield* issueCookie(inExpress, verified!);
  }
}

/** Revokes the sessions of a sign-out call, also if it is refused because another token can't be verified now. */
function* endSessions(
  request: ExpressRequest,
  judgement: Judgement,
  signOut: SignOut,
): Steps<void> {
  if (signOut.clearsCookie) {
    clearCookie(request);
  }
  const failure = yield* awaited(revokeSessions(request, signOut));
  if (failure) {
    judgement.reason = failure;
  } else if (!judgement.refusal) {
    judgement.answer = yield* answerSignOut(request, signOut);
  }
}

/**
 * Revokes the sessions of a request that signs out.
 *
 * @returns a refusal, 503, if other replicas, or OAuth clients, do not see a revocation yet
 */
async function revokeSessions(
  request: GateRequest,
  { verified }: SignOut,
): Promise<Refusal | undefined> {
  const { pluginId, services } = request;
  const sessions = verified
    .map(({ token }) => token.session)
    .filter(session => session !== undefined);
  const ended = (
    await Promise.all(sessions.map(each => revoke(each, request)))
  ).flat();
  for (const { revocation, isStored } of ended) {
    const { scope, sub: userEntityRef } = revocation;
    services.observer.signedOut(pluginId, { scope, userEntityRef, isStored });
  }
  if (!ended.every(({ isStored }) => isStored)) {
    return Refusal.because('sign-out-not-stored');
  }
  return ended.some(each => each.offlineSessions === 'unreachable')
    ? Refusal.because('sign-out-incomplete')
    : undefined;
}

async function revoke(
  session: SessionClaims,
  { policy, services }: GateRequest,
): Promise<EndedSessions[]> {
  const { revocations, signOutUser } = services;
  const { scope } = policy.config.signOut;
  // The token of a revoked session cannot end the user's other sessions.
  const isOfUser = scope === 'user' && !revocations.isRevoked(session);
  const revocation: Revocation = { scope: 'session', ...session };
  // A session that was revoked before is revoked again, because the store may not have that revocation.
  const stored = revocations.revoke(revocation);
  const ofUser = isOfUser ? [await signOutUser(session.sub, session)] : [];
  return [{ revocation, isStored: await stored }, ...ofUser];
}

// Keys and sign-out calls need no credential. Where no router of Backstage's serves them, any handler could receive them, with any
// query and body. The gate answers there instead.

/** Returns the answer to a request for a plugin's keys; `undefined` for one that goes on. */
function* answerKeys({
  method,
  path,
  isEnforced,
  plugin,
}: GateRequest): Steps<GateAnswer | undefined> {
  if (plugin.servedBy || !isEnforced || !isPluginKeys(method, path)) {
    return undefined;
  }
  const keys = yield* awaited(plugin.publicKeys());
  return keys ? { status: 200, body: { keys } } : { status: 404 };
}

/** Returns the answer to a sign-out call; `undefined` for one that goes on. */
function* answerSignOut(
  { isEnforced, path, places, plugin, req, res, services }: ExpressRequest,
  { hasCredential, verified }: SignOut,
): Steps<GateAnswer | undefined> {
  const bearer = findBearer(req, places);
  // In report-only, the barrier in front of Backstage's router would refuse the token of the session that has just ended.
  const isRefusedBehind =
    !isEnforced &&
    verified.some(({ token }) => token.session && token.text === bearer);
  const isAnsweredBehind = plugin.servedBy === 'backstage' && !isRefusedBehind;
  if (isAnsweredBehind || !isCookieEndpoint(path)) {
    return undefined;
  }
  if (plugin.servedBy !== 'backstage' && (hasCredential || !isEnforced)) {
    yield plugin.started();
    return undefined;
  }
  // Backstage's router answers the same: without a credential, a caller cannot find out which plugins are installed.
  yield services.plugins.clearUserCookie(res);
  return { status: 204 };
}

/**
 * Returns the address at which clients of the MCP plugin read how to sign in: that of the metadata of the requested resource (RFC 9728),
 * which the plugin serves at the root of the backend. Returns `undefined` if there is none, or if discovery fails. Discovery alone
 * decides the address, never a header of the request.
 */
export function* findResourceMetadata(
  request: GateRequest,
): Steps<string | undefined> {
  const { isInstalled, pluginId, policy, services } = request;
  if (pluginId !== MCP_PLUGIN || !isInstalled) {
    return undefined;
  }
  // Express reads `/v1/` as `/v1`.
  const path = request.reportedPath?.replace(/(.)\/$/, '$1') ?? '';
  if (!policy.config.mcpPaths.has(path)) {
    return undefined;
  }
  try {
    const { discovery } = services.plugins.anyRegistered();
    const baseUrl = yield* awaited(discovery.getExternalBaseUrl(MCP_PLUGIN));
    const mount = `/api/${MCP_PLUGIN}`;
    const root = baseUrl.endsWith(mount)
      ? baseUrl.slice(0, -mount.length)
      : new URL(baseUrl).origin;
    return `${root}/.well-known/oauth-protected-resource${mount}${path}`;
  } catch {
    return undefined;
  }
}
