import type { TokenCache } from './TokenCache';
import type { VerifiedCredential } from './verifyCredential';
import { Refusal } from '../decision/Refusal';
import type { Token } from './token';
import type { Revocations } from '../revocation/Revocations';

/**
 * @throws Refusal 401 if the session of a verified token was revoked, and 503 while the list of revocations is not loaded. Tokens
 *   of services that act for no user belong to no session.
 */
export function assertNotRevoked(
  { token }: VerifiedCredential,
  revocations: Revocations,
): void {
  const { session, userToken } = token;
  if (!userToken) {
    return;
  }
  if (!session) {
    throw Refusal.invalid.malformed;
  }
  if (revocations.isRevoked(session)) {
    throw Refusal.revoked.of(session.sub);
  }
  if (!revocations.isLoaded) {
    throw Refusal.revocationsUnavailable;
  }
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
