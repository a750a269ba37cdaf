import type { TokenCache } from './TokenCache';
import type { VerifiedCredential } from './verifyCredential';
import { Refusal } from '../decision/Refusal';
import type { Token } from './token';
import type { Revocations } from '../revocation/Revocations';

type RevocationsRead = Pick<Revocations, 'isLoaded' | 'isRevoked'>;

/** @throws Refusal as {@link findSessionRefusal} returns it */
export function assertNotRevoked(
  verified: VerifiedCredential,
  revocations: RevocationsRead,
): void {
  const refusal = findSessionRefusal(verified, revocations);
  if (refusal) {
    throw refusal;
  }
}

/**
 * Returns the refusal of a verified token: 401 if its session was revoked, or if it is a user's and has no session, and 503 while
 * the list of revocations is not loaded. Tokens of services that act for no user belong to no session.
 */
export function findSessionRefusal(
  { token }: Pick<VerifiedCredential, 'token'>,
  revocations: RevocationsRead,
): Refusal | undefined {
  const { session, userToken } = token;
  if (!userToken) {
    return undefined;
  }
  if (!session) {
    return Refusal.invalid.malformed;
  }
  if (revocations.isRevoked(session)) {
    return Refusal.revoked.of(session.sub);
  }
  return revocations.isLoaded ? undefined : Refusal.revocationsUnavailable;
}

/** Returns whether a token claims to be of a revoked session. The claims may be forged: the result may only refuse a request. */
export function isRevokedByClaims(
  token: string | undefined,
  { tokens, revocations }: { tokens: TokenCache; revocations: Revocations },
): boolean {
  return token ? isSessionRevoked(tokens.read(token), revocations) : false;
}

/** Returns whether the session that a token claims to be of was revoked. */
export function isSessionRevoked(
  { session }: Pick<Token, 'session'>,
  revocations: Pick<Revocations, 'isRevoked'>,
): boolean {
  return session !== undefined && revocations.isRevoked(session);
}
