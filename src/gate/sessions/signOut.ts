import type { EndedSessions } from '../GateServices';
import type { SignOut } from '../judge/judge';
import type { GateRequest } from '../read/GateRequest';
import { Refusal } from '../Refusal';
import type { Revocation, SessionClaims } from './Revocation';

/**
 * Revokes the sessions of a request that signs out.
 *
 * @returns a refusal, 503, if other replicas, or OAuth clients, do not see a revocation yet
 */
export async function revokeSessions(
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
  const { scope, offlineSessions } = policy.config.signOut;
  // The token of a revoked session cannot end the user's other sessions.
  const isOfUser = scope === 'user' && !revocations.isRevoked(session);
  const revocation: Revocation = { scope: 'session', ...session };
  // A session that was revoked before is revoked again, because the store may not have that revocation.
  const stored = revocations.revoke(revocation);
  const ofUser = isOfUser
    ? await signOutUser(session.sub, { known: session, offlineSessions })
    : undefined;
  const ended = [{ revocation, isStored: await stored }];
  return ofUser ? [...ended, ofUser] : ended;
}
