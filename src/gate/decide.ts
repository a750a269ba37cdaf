import type { JsonObject } from '@backstage/types';
import type { AllowRule } from './rules/AllowRule';
import { PresentedToken, presentsCredential } from './read/readCredential';
import type { Decision, PassReason } from './Decision';
import { Refusal, toRefusal } from './Refusal';
import { isCookieEndpoint } from './read/requestLine';
import type { SocketSession } from './sessions/SessionSockets';
import { restrictAnswer } from './carryOut/answer';
import { decideUpgrade } from './upgrades/decideUpgrade';
import { forward } from './carryOut/forward';
import { assertForeign } from './verify/foreignAuthorization';
import {
  ExpressRequest,
  GateRequest,
  readRequestToken,
} from './read/GateRequest';
import { issueCookie } from './cookie/issueCookie';
import { applyOrders } from './verify/orders';
import { answerKeys, answerSignOut } from './carryOut/ownAnswers';
import { findResourceMetadata } from './carryOut/resourceMetadata';
import {
  assertPublicTokensHarmless,
  removeRevokedUserCookie,
} from './verify/publicTokens';
import { endSessions } from './sessions/signOut';
import {
  findRefusal,
  isUser,
  reportExternalToken,
  VerifiedCredential,
  verifyTimed,
} from './verify/verifyCredential';

/** Why a request passes. */
export interface Passed {
  reason: PassReason;
  /** With the reason `allow-rule`. */
  rule?: AllowRule;
  /** The token that authenticated the request, and the credential that Backstage has made of it. */
  presented?: PresentedToken;
  verified?: VerifiedCredential;
  /** The sessions with which the socket of an upgrade is closed. */
  sessions?: SocketSession[];
  /** The answer that the gate gives itself, so that no handler gets the request. */
  answer?: { status: 200 | 204 | 404; body?: JsonObject };
}

/**
 * Decides whether a request or an upgrade may pass. This is the order of all checks. The changes of the request, and the
 * gate's own headers of the answer, are collected in the request and made later. Two steps write to the answer at once: an adopter's
 * issuer, and the clearing of Backstage's cookie.
 *
 * @throws Refusal if not
 */
async function decide(request: GateRequest): Promise<Passed> {
  const { path, plugin, route } = request;
  if (!plugin.isRegistered) {
    await plugin.started();
  }
  if (request.isUpgrade) {
    const upgrade = await decideUpgrade(request);
    await assertForeign(request);
    return upgrade;
  }
  if (route === 'sign-out') {
    // Upgrades are no sign-out calls.
    const call = request as ExpressRequest;
    const hasCredential = await endSessions(call);
    return {
      reason: 'sign-out',
      answer: await answerSignOut(call, hasCredential),
    };
  }
  if (route === 'built-in-public') {
    await assertPublicTokensHarmless(request);
    // Behind a gateway, the gate of the backend that has `auth` needs the cookie: it recognises a sign-out.
    if (!request.isInstalled && plugin.id === 'auth') {
      request.forwarded.gateCookie = 'as received';
    }
    return { reason: 'built-in-public', answer: await answerKeys(request) };
  }
  if (route !== 'protected') {
    await assertPublicTokensHarmless(request);
    // The browser sends the cookie with the requests of a public page, too.
    restrictAnswer(request, 'none');
    request.isAnonymous = !presentsCredential(request.req, request.places);
    return { reason: 'allow-rule', rule: route };
  }
  await plugin.started();
  const presented = readRequestToken(request);
  if (presented instanceof Refusal) {
    throw presented;
  }
  const verified = await verifyTimed(request, presented);
  const refusal = findRefusal(verified, request);
  if (refusal) {
    throw refusal;
  }
  await assertForeign(request);
  const passed = accept(request, presented, verified);
  await issueCookie(request as ExpressRequest, verified);
  // This endpoint renews Backstage's cookie, and would keep one of a revoked session.
  if (isCookieEndpoint(path)) {
    await removeRevokedUserCookie(request);
  }
  return passed;
}

/** Accepts the credential of a request: chooses what its handler and its answer get. */
export function accept(
  request: GateRequest,
  presented: PresentedToken,
  verified: VerifiedCredential,
): Passed {
  if (isUser(verified.credentials)) {
    restrictAnswer(request, presented.kind);
  }
  reportExternalToken(verified, request);
  return { reason: presented.kind, presented, verified };
}

/** Decides about a request. An unexpected error becomes a refusal, so that it ends closed. */
export async function settle(request: GateRequest): Promise<Passed | Refusal> {
  try {
    return await decide(request);
  } catch (error) {
    const refusal = await applyOrders(
      request,
      toRefusal(error, request.services.logger),
    );
    if (refusal.isFinal) {
      request.resourceMetadata = await findResourceMetadata(request);
    }
    return refusal;
  }
}

/**
 * Records a decision, and changes the request if it goes on. In report-only, a refused request goes on all the same, unless the
 * refusal carries out an order.
 *
 * @returns whether the request goes on
 */
export function conclude(
  request: GateRequest,
  decided: Passed | Refusal,
): boolean {
  const { services } = request;
  const decision = decisionOf(request, decided);
  const goesOn = decision.outcome !== 'refused';
  if (goesOn) {
    forward(request, decided instanceof Refusal ? undefined : decided);
  }
  services.decisions.set(request.req, decision);
  const error = decided instanceof Refusal ? decided.error : undefined;
  services.observer.decided(request, decision, error);
  return goesOn;
}

/** Returns what closes the socket of an upgrade that goes on. The end of report-only is that of one that it alone lets through. */
export function socketSessionsOf(
  { isUpgrade, openedBy = [] }: GateRequest,
  decided: Passed | Refusal,
): (SocketSession | 'not-admitted')[] {
  if (decided instanceof Refusal) {
    return isUpgrade ? ['not-admitted', ...openedBy] : [];
  }
  return decided.sessions ?? [];
}

/** Returns the record of a decision. */
export function decisionOf(
  request: GateRequest,
  decided: Passed | Refusal,
): Decision {
  return decided instanceof Refusal
    ? refusedDecision(request, decided)
    : passedDecision(request, decided);
}

function passedDecision(
  { credential, isAnonymous, pluginId }: GateRequest,
  { reason, rule }: Passed,
): Decision {
  const plugin = pluginId;
  return { plugin, outcome: 'passed', reason, credential, rule, isAnonymous };
}

function refusedDecision(
  request: GateRequest,
  { detail, isOrder, reason, subject }: Refusal,
): Decision {
  const { credential, decisionId, pluginId, policy } = request;
  const { clientAddress } = policy.config.audit;
  return {
    plugin: pluginId,
    outcome: policy.isEnforced || isOrder ? 'refused' : 'would-refuse',
    reason,
    credential,
    id: decisionId,
    detail,
    subject,
    clientAddress: clientAddress ? request.clientAddress : undefined,
  };
}
