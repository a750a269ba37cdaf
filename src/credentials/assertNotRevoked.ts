import type { DecodedTokens } from './DecodedTokens';
import type { VerifiedCredential } from './verifyCredential';
import { Refusal } from '../decision/Refusal';
import { DecodedToken, effectiveUserToken } from './token';
import type { SessionClaims } from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';

/**
 * @throws Refusal 401 if the session of a verified token was revoked, and 503 while the list of revocations is not loaded. Tokens
 *   of services that act for no user belong to no session.
 */
export function assertNotRevoked(
  { userToken }: VerifiedCredential,
  revocations: Revocations,
): void {
  if (!userToken) {
    return;
  }
  const session = sessionClaimsOf(userToken);
  if (!session) {
    throw Refusal.invalidToken;
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
  options: { decodedTokens: DecodedTokens; revocations: Revocations },
): boolean {
  const { decodedTokens, revocations } = options;
  const decoded = token ? decodedTokens.decode(token) : undefined;
  const session = decoded && sessionClaimsOf(effectiveUserToken(decoded) ?? {});
  return session !== undefined && revocations.isRevoked(session);
}

/** Returns the refusal of a token that has verified, and whose session was revoked. */
export function refuseRevoked(
  token: string,
  { decodedTokens }: { decodedTokens: DecodedTokens },
): Refusal {
  const decoded = decodedTokens.decode(token);
  return Refusal.revoked.of(decoded && effectiveUserToken(decoded)?.sub);
}

/** Returns the claims that identify a user token's session. Backstage accepts no user token without them. */
export function sessionClaimsOf({
  sub,
  iat,
  exp,
}: Partial<DecodedToken>): SessionClaims | undefined {
  return sub !== undefined && iat !== undefined && exp !== undefined
    ? { sub, iat, exp }
    : undefined;
}
