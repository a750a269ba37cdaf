import { Refusal } from '../decision/Refusal';
import type { SocketSession } from '../revocation/SessionSockets';
import type { GateRequest } from './GateRequest';
import { findSessionRefusal, VerifiedCredential } from './verifyCredential';

/** Returns the subject of an external token. Those of plugins begin as no subject of the configuration may. */
function externalSubjectOf(verified: VerifiedCredential): string | undefined {
  const { principal } = verified.credentials;
  return principal.type === 'service' && !/^plugin:/.test(principal.subject)
    ? principal.subject
    : undefined;
}

/** Returns the refusal of a verified token: `auth.apiGate.tokens` excludes the request, or its session has ended. */
export function findRefusal(
  verified: VerifiedCredential,
  request: GateRequest,
): Refusal | undefined {
  const { policy, services } = request;
  const subject = externalSubjectOf(verified);
  const reason = subject && policy.tokenLimits.findRefusal(subject, request);
  const detail = reason === 'restricted' ? 'only' : undefined;
  return reason
    ? Refusal.because(reason, detail).of(subject)
    : findSessionRefusal(verified.token, services);
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
