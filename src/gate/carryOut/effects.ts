import { issueCookie } from '../cookie/issueCookie';
import type { GateAnswer, Judgement, SignOut } from '../judge/judge';
import type { ExpressRequest, GateRequest } from '../read/GateRequest';
import { isCookieEndpoint } from '../read/requestLine';
import { isPluginKeys } from '../rules/classifyRoute';
import { revokeSessions } from '../sessions/signOut';
import { awaited, Steps } from '../verify/steps';
import { clearCookie } from './answer';

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
  { isEnforced, path, plugin, res, services }: ExpressRequest,
  { hasCredential }: SignOut,
): Steps<GateAnswer | undefined> {
  if (plugin.servedBy === 'backstage' || !isCookieEndpoint(path)) {
    return undefined;
  }
  if (hasCredential || !isEnforced) {
    yield plugin.started();
    return undefined;
  }
  // Backstage's router answers the same: without a credential, a caller cannot find out which plugins are installed.
  yield services.plugins.clearUserCookie(res);
  return { status: 204 };
}
