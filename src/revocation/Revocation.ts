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
export const LONGEST_SESSION_SECONDS = 24 * 60 * 60;

/** Clocks of replicas may differ: a revocation is kept for so long after its tokens have expired. */
export const CLOCK_SKEW_SECONDS = 5 * 60;

const MAX_SUB_LENGTH = 1_000;

/**
 * Whether every store takes a revocation: PostgreSQL has no NUL in text, no encoding has a lone surrogate, and a row must not
 * be of any size.
 */
export function isStorable({ sub, iat, exp }: Revocation): boolean {
  return (
    sub.length <= MAX_SUB_LENGTH &&
    /^[^\p{Cc}\p{Cs}]+$/u.test(sub) &&
    [iat, exp].every(Number.isSafeInteger)
  );
}

/** Joins two revocations of one user, or of one session. The later end holds of each: a revocation never shrinks. */
export function joinRevocations(a: Revocation, b: Revocation): Revocation {
  return { ...a, iat: Math.max(a.iat, b.iat), exp: Math.max(a.exp, b.exp) };
}

/** Returns what two revocations have in common that are of one user, or of one session. */
export function revocationKey(revocation: Revocation): string {
  return revocation.scope === 'user'
    ? `user ${userKey(revocation.sub)}`
    : `session ${sessionKey(revocation)}`;
}

/** Returns what the tokens of one session have in common, and no other session has. */
export function sessionKey({ sub, iat, exp }: SessionClaims): string {
  return `${iat} ${exp} ${sub}`;
}

/** Returns the seconds since the epoch before which nothing that has expired can match a token any more. */
export function oldestLive(milliseconds = Date.now()): number {
  return Math.floor(milliseconds / 1000) - CLOCK_SKEW_SECONDS;
}

/** Refuses one sign-in. */
export function revocationOfSession(claims: SessionClaims): Revocation {
  const { sub, iat, exp } = claims;
  return { scope: 'session', sub, iat, exp };
}

/**
 * Refuses every sign-in of a user up to now: as long as the longest that Backstage makes, or one that is known to be longer.
 *
 * @param known - one of them. If the clock that issued it is ahead, what that clock issued before counts as well
 */
export function revocationOfUser(
  sub: string,
  known?: SessionClaims,
): Revocation {
  const iat = Math.max(now(), known?.iat ?? 0);
  const exp = Math.max(iat + LONGEST_SESSION_SECONDS, known?.exp ?? 0);
  return { scope: 'user', sub, iat, exp };
}

/** Entity references are compared without case: an operator may spell a user otherwise than the token does. */
export function isSameUser(a: string, b: string): boolean {
  return userKey(a) === userKey(b);
}

/** What is the same for all spellings of a user. */
export function userKey(userEntityRef: string): string {
  return userEntityRef.toLocaleLowerCase('en-US');
}

/** Seconds since the epoch, rounded down as in tokens. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
