import type { DecodedTokens } from './DecodedTokens';
import type { VerifiedCredential } from './verifyCredential';
import { Refusal } from '../decision/Refusal';
import { DecodedToken, effectiveUserToken } from './token';
import type { SessionClaims } from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';

/**
 * @throws Refusal 401 if the session that a verified token belongs to was ended, and 503 while that can't be told. Tokens of
 *   services that act for nobody belong to none.
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
    throw Refusal.revoked;
  }
  if (!revocations.isLoaded) {
    throw Refusal.revocationsUnavailable;
  }
}

/** Whether a token says that it is of a session that was ended. It need not be true: this may only refuse. */
export function isRevokedByClaims(
  token: string | undefined,
  options: { decodedTokens: DecodedTokens; revocations: Revocations },
): boolean {
  const { decodedTokens, revocations } = options;
  const decoded = token ? decodedTokens.decode(token) : undefined;
  const session = decoded && sessionClaimsOf(effectiveUserToken(decoded) ?? {});
  return session !== undefined && revocations.isRevoked(session);
}

/** The claims by which a user token's session is known. Backstage accepts none without them. */
export function sessionClaimsOf({
  sub,
  iat,
  exp,
}: Partial<DecodedToken>): SessionClaims | undefined {
  return sub !== undefined && iat !== undefined && exp !== undefined
    ? { sub, iat, exp }
    : undefined;
}
