/**
 * Tokens that are refused though they verify. All numbers are seconds since the epoch, as in the tokens.
 *
 * - `session`: the tokens of one sign-in, known by the three claims that a user token shares with its limited token and with
 *   service tokens that carry it. The text of a token is never compared: one valid token has several spellings.
 * - `user`: every token of a user that was issued up to `iat`. `exp` is when the last of them has expired.
 */
export interface Revocation {
  scope: 'session' | 'user';
  sub: string;
  iat: number;
  exp: number;
}

/** The claims by which a session is known. */
export interface SessionClaims {
  sub: string;
  iat: number;
  exp: number;
}

// Backstage issues user tokens for at most a day (`auth.backstageTokenExpiration`).
const LONGEST_SESSION_SECONDS = 24 * 60 * 60;

/** Clocks of replicas may differ: a revocation is kept for so long after its tokens have expired. */
export const CLOCK_SKEW_SECONDS = 5 * 60;

/** Refuses one sign-in. */
export function revocationOfSession(claims: SessionClaims): Revocation {
  const { sub, iat, exp } = claims;
  return { scope: 'session', sub, iat, exp };
}

/** Refuses every sign-in of a user up to now. */
export function revocationOfUser(sub: string): Revocation {
  const iat = now();
  return { scope: 'user', sub, iat, exp: iat + LONGEST_SESSION_SECONDS };
}

/** Seconds since the epoch, rounded down as in tokens. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
