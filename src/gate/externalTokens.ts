import { Refusal } from '../decision/Refusal';
import type { SocketSession } from '../revocation/SessionSockets';
import type { GateRequest } from './GateRequest';
import { findSessionRefusal, VerifiedCredential } from './verifyCredential';

/** Returns the subject of the token of a service that is no plugin. The subjects of plugins begin as no entry of the configuration may. */
function externalSubjectOf({
  credentials: { principal },
}: VerifiedCredential): string | undefined {
  return principal.type === 'service' && !/^plugin:/.test(principal.subject)
    ? principal.subject
    : undefined;
}

/** Returns the refusal of a verified token: its session has ended, or `auth.apiGate.tokens` excludes the request. */
export function findRefusal(
  verified: VerifiedCredential,
  request: GateRequest,
): Refusal | undefined {
  return (
    findSessionRefusal(verified.token, request.services) ??
    findLimitRefusal(verified, request)
  );
}

/** Returns the refusal of an external token whose limits exclude the request. */
export function findLimitRefusal(
  verified: VerifiedCredential,
  request: GateRequest,
): Refusal | undefined {
  const subject = externalSubjectOf(verified);
  const reason =
    subject && request.policy.tokenLimits.findRefusal(subject, request);
  const detail = reason === 'restricted' ? 'only' : undefined;
  return reason ? Refusal.because(reason, detail).of(subject) : undefined;
}

/** Reports the request of an external token. */
export function reportExternalToken(
  verified: VerifiedCredential,
  request: GateRequest,
): void {
  const subject = externalSubjectOf(verified);
  if (subject) {
    request.services.observer.externalTokenUsed(subject, request);
  }
}

/** Returns what ends the socket of an upgrade: the session of a user or, for an external token, the limits in force. */
export function socketSessionOf(
  verified: VerifiedCredential,
  request: GateRequest,
): SocketSession | undefined {
  const subject = externalSubjectOf(verified);
  const { source } = request.services;
  return subject
    ? () => source.current.tokenLimits.endFor(subject, request)
    : verified.token.session;
}
