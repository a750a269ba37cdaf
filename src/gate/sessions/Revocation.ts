import { has, sumBy } from 'lodash';

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
 * - `user`: every token of a user that was issued up to `iat`, which may be in the future. `exp` is the time when the last of them has
 *   expired.
 */
export interface Revocation extends SessionClaims {
  scope: 'session' | 'user';
}

// Backstage issues user tokens for at most a day (`auth.backstageTokenExpiration`).
export const LONGEST_SESSION_SECONDS = 24 * 60 * 60;

/** Clocks of replicas may differ: a revocation is kept this long after its tokens have expired. */
export const CLOCK_SKEW_SECONDS = 5 * 60;

/** Joins two sign-outs of one user, or of one session. The later `iat` and `exp` of both apply: a revocation never shrinks. */
export function joinRevocations(a: Revocation, b: Revocation): Revocation {
  return { ...a, iat: Math.max(a.iat, b.iat), exp: Math.max(a.exp, b.exp) };
}

/** Returns the key that all revocations of one user, or of one session, have in common. */
export function revocationKey(revocation: Revocation): string {
  return `${revocation.scope} ${keyInScope(revocation)}`;
}

function keyInScope(revocation: Revocation): string {
  return revocation.scope === 'session'
    ? sessionKey(revocation)
    : userKey(revocation.sub);
}

/** Returns the key that all spellings of a user have in common: an operator may spell a user differently from the token. */
export function userKey(userEntityRef: string): string {
  return userEntityRef.toLocaleLowerCase('en-US');
}

/** Returns the key that the tokens of one session have in common. No other session has the same key. */
function sessionKey({ sub, iat, exp }: SessionClaims): string {
  return `${iat} ${exp} ${sub}`;
}

/** Returns the time, in seconds since the epoch, before which an expired revocation can match no valid token any more. */
export function oldestLive(milliseconds = Date.now()): number {
  return Math.floor(milliseconds / 1000) - CLOCK_SKEW_SECONDS;
}

/** Returns the seconds since the epoch, rounded down as in tokens. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

/** Receives the users (by `userKey`) of new revocations. */
type RevokedListener = (users: ReadonlySet<string>) => void;

/**
 * Holds the live revocations of all replicas in memory, for the decision about each request. A revocation stays until it has expired,
 * and refuses no token less by then.
 */
export class RevocationList {
  readonly #held = {
    session: new Map<string, Revocation>(),
    user: new Map<string, Revocation>(),
  };
  readonly #listeners = new Set<RevokedListener>();

  get size(): number {
    return sumBy(Object.values(this.#held), 'size');
  }

  isRevoked(claims: SessionClaims): boolean {
    const ofUser = this.#held.user.get(userKey(claims.sub));
    return (
      (ofUser !== undefined && claims.iat <= ofUser.iat) ||
      this.#held.session.has(sessionKey(claims))
    );
  }

  add(revocations: Iterable<Revocation>): void {
    const users = new Set<string>();
    for (const revocation of revocations) {
      if (this.#addOne(revocation)) {
        users.add(userKey(revocation.sub));
      }
    }
    if (users.size > 0) {
      for (const listener of this.#listeners) {
        listener(users);
      }
    }
  }

  /** Registers a listener for new revocations, which is called once for all that arrive together. */
  onRevoked(listener: RevokedListener): void {
    this.#listeners.add(listener);
  }

  /** Removes entries that no valid token can match any more. */
  removeExpired(): void {
    const limit = oldestLive();
    for (const ofScope of Object.values(this.#held)) {
      for (const [key, { exp }] of ofScope) {
        if (exp < limit) {
          ofScope.delete(key);
        }
      }
    }
  }

  /** Adds a revocation. Returns whether it is new, so that more tokens are refused. */
  #addOne(revocation: Revocation): boolean {
    const { scope, iat, exp } = revocation;
    const key = keyInScope(revocation);
    // A scope of a later version refuses the user's tokens, as `user` does.
    const ofScope = this.#held[has(this.#held, scope) ? scope : 'user'];
    const known = ofScope.get(key);
    const isNew =
      !known || iat > known.iat || (scope === 'user' && exp > known.exp);
    if (isNew) {
      const added =
        known && scope === 'user'
          ? joinRevocations(known, revocation)
          : revocation;
      ofScope.set(key, holdInLittleMemory(added));
    }
    return isNew;
  }
}

/** Copies a revocation. A copy by `...` takes five times the memory, and there may be very many sessions. */
function holdInLittleMemory({ scope, sub, iat, exp }: Revocation): Revocation {
  return { scope, sub, iat, exp };
}
