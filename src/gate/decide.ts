import { carryOutEffects, findResourceMetadata } from './carryOut/effects';
import { forward } from './carryOut/forward';
import type { Decision } from './Decision';
import type { FoundToken, VerifiedToken } from './judge/findRefused';
import { judge, Judgement, socketEndsOf } from './judge/judge';
import type { GateRequest } from './read/GateRequest';
import { readTokens } from './read/readTokens';
import { Refusal, toRefusal } from './Refusal';
import { run, Steps } from './verify/steps';
import { verifyTokens } from './verify/verifyTokens';
import { externalSubjectOf } from './verify/verifyToken';

/**
 * Decides whether a request or an upgrade may pass, and carries out what may have to be waited for. The request itself, and the headers
 * of its answer, are changed later. An unexpected error becomes a refusal like any other, so that it ends closed where the gate enforces.
 *
 * @returns a promise only if something has to be waited for
 */
export function decide(request: GateRequest): Judgement | Promise<Judgement> {
  return run(decideInSteps(request));
}

function* decideInSteps(request: GateRequest): Steps<Judgement> {
  let found: FoundToken[] = [];
  let judgement: Judgement | undefined;
  try {
    yield* waitForPlugin(request);
    found = yield* verifyTokens(request, readTokens(request));
    judgement = judge(request, found);
    yield* carryOutEffects(request, judgement);
  } catch (error) {
    const { credential = 'none', removesUserCookie = false } = judgement ?? {};
    const refusal = toRefusal(error, request.services.logger);
    judgement = new Judgement(refusal, credential, removesUserCookie);
  }
  if (judgement.refusal && request.isUpgrade) {
    // In report-only the socket opens all the same: until the gate enforces, or the session of a token that has verified ends.
    judgement.socketEnds = ['not-admitted', ...socketEndsOf(found)];
  }
  if (judgement.refusal?.isFinal) {
    judgement.resourceMetadata = yield* findResourceMetadata(request);
  }
  return judgement;
}

/** Waits until a plugin has registered and, unless it is asked for something public, has started. */
function* waitForPlugin({
  isUpgrade,
  plugin,
  route,
}: GateRequest): Steps<void> {
  if (!plugin.isRegistered) {
    yield plugin.started();
  }
  if ((isUpgrade || route === 'protected') && !plugin.isUp()) {
    yield plugin.started();
  }
}

/**
 * Records a decision, and changes the request if it goes on. In report-only, a refused request goes on all the same, unless the
 * refusal holds there too.
 *
 * @returns whether the request goes on
 */
export function conclude(request: GateRequest, judgement: Judgement): boolean {
  const { services } = request;
  const decision = decisionOf(request, judgement);
  const goesOn = decision.outcome !== 'refused';
  if (goesOn) {
    forward(request, judgement);
  }
  if (judgement.verified) {
    reportExternalToken(request, judgement.verified);
  }
  services.decisions.set(request.req, decision);
  services.observer.decided(request, decision, judgement.refusal?.error);
  return goesOn;
}

export function reportExternalToken(
  request: GateRequest,
  verified: VerifiedToken,
): void {
  const subject = externalSubjectOf(verified);
  if (subject !== undefined) {
    request.services.observer.externalTokenUsed(subject);
  }
}

function decisionOf(
  request: GateRequest,
  { credential, reason, rule }: Judgement,
): Decision {
  const { pluginId: plugin, policy } = request;
  return reason instanceof Refusal
    ? {
        plugin,
        outcome:
          request.isEnforced || reason.holdsInReportOnly
            ? 'refused'
            : 'would-refuse',
        reason: reason.reason,
        credential,
        id: request.decisionId,
        detail: reason.detail,
        subject: reason.subject,
        clientAddress: policy.config.audit.clientAddress
          ? request.clientAddress
          : undefined,
      }
    : { plugin, outcome: 'passed', reason, credential, rule };
}
