import { isStorableSub, userKey } from '../util/entityRef';

/** The claims that identify a session. The numbers are seconds since the epoch, as in the tokens. */
export interface SessionClaims {
  sub: string;
  iat: number;
  exp: number;
}

/**
 * Refuses tokens that verify.
 *
 * - `session`: the tokens of one sign-in, identified by the three claims that a user token shares with its limited token and with
 *   service tokens that carry it. The text of a token is never compared: one valid token has several spellings.
 * - `user`: every token of a user that was issued up to `iat`. `exp` is the time when the last of them has expired.
 * - `lock`: every token of a user until {@link endOfLock}, and afterwards those that were issued up to then. `exp` is the time when
 *   the last of them has expired, and `iat` rises with each change: of two locks of a user, the one with the later `iat` applies.
 */
export interface Revocation extends SessionClaims {
  scope: 'session' | 'user' | 'lock';
}

// Backstage issues user tokens for at most a day (`auth.backstageTokenExpiration`).
export const LONGEST_SESSION_SECONDS = 24 * 60 * 60;

/** Clocks of replicas may differ: a revocation is kept this long after its tokens have expired. */
export const CLOCK_SKEW_SECONDS = 5 * 60;

/** Returns whether every store can keep a revocation. */
export function isStorable({ sub, iat, exp }: Revocation): boolean {
  return isStorableSub(sub) && [iat, exp].every(Number.isSafeInteger);
}

/** Joins two sign-outs of one user, or of one session. The later `iat` and `exp` of both apply: a revocation never shrinks. */
export function joinRevocations(a: Revocation, b: Revocation): Revocation {
  return { ...a, iat: Math.max(a.iat, b.iat), exp: Math.max(a.exp, b.exp) };
}

/** Returns the key that all revocations of one user, or of one session, have in common. */
export function revocationKey(revocation: Revocation): string {
  return revocation.scope === 'session'
    ? `session ${sessionKey(revocation)}`
    : `${revocation.scope} ${userKey(revocation.sub)}`;
}

/** Returns the key that the tokens of one session have in common. No other session has the same key. */
export function sessionKey({ sub, iat, exp }: SessionClaims): string {
  return `${iat} ${exp} ${sub}`;
}

/** Returns the time, in seconds since the epoch, before which an expired revocation can match no valid token any more. */
export function oldestLive(milliseconds = Date.now()): number {
  return Math.floor(milliseconds / 1000) - CLOCK_SKEW_SECONDS;
}

export function revocationOfSession(claims: SessionClaims): Revocation {
  const { sub, iat, exp } = claims;
  return { scope: 'session', sub, iat, exp };
}

/**
 * Creates a revocation of every sign-in of a user up to now. It lasts as long as the longest token lifetime of Backstage, or as
 * the known session if that expires later.
 *
 * @param known - a session of the user. If the clock of its issuer is ahead, the revocation covers all tokens up to that session
 */
export function revocationOfUser(
  sub: string,
  known?: SessionClaims,
): Revocation {
  const iat = Math.max(now(), known?.iat ?? 0);
  const exp = Math.max(iat + LONGEST_SESSION_SECONDS, known?.exp ?? 0);
  return { scope: 'user', sub, iat, exp };
}

/** Creates a lock that ends at a time, in seconds since the epoch. A lock that ends now leaves a sign-out everywhere behind. */
export function lockOfUser(sub: string, end: number): Revocation {
  return { scope: 'lock', sub, iat: now(), exp: end + LONGEST_SESSION_SECONDS };
}

/** Returns the end of a lock, in seconds since the epoch. */
export function endOfLock({ exp }: Revocation): number {
  return exp - LONGEST_SESSION_SECONDS;
}

/** Returns the seconds since the epoch, rounded down as in tokens. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
