import {
  joinRevocations,
  oldestLive,
  Revocation,
  SessionClaims,
  sessionKey,
  userKey,
} from './Revocation';

/** Receives the users (by `userKey`) of new revocations. */
type RevokedListener = (users: ReadonlySet<string>) => void;

/**
 * Holds the live revocations of all replicas in memory, for the decision about each request. A revocation is never taken
 * back: the list only grows, until its entries have expired.
 */
export class RevocationList {
  /** When each revoked session expires, and nothing else: there may be very many. */
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<string, Revocation>();
  readonly #listeners = new Set<RevokedListener>();

  /** How many revocations it holds. */
  get size(): number {
    return this.#sessions.size + this.#users.size;
  }

  isRevoked(claims: SessionClaims): boolean {
    const ofUser = this.#users.get(userKey(claims.sub));
    return (
      (ofUser !== undefined && claims.iat <= ofUser.iat) ||
      this.#sessions.has(sessionKey(claims))
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
      this.#listeners.forEach(listener => listener(users));
    }
  }

  /** Calls back whenever there are new revocations, once for all that come together. */
  onRevoked(listener: RevokedListener): void {
    this.#listeners.add(listener);
  }

  /** Removes what no valid token can match any more. */
  removeExpired(): void {
    const limit = oldestLive();
    for (const [key, exp] of this.#sessions) {
      if (exp < limit) {
        this.#sessions.delete(key);
      }
    }
    for (const [key, { exp }] of this.#users) {
      if (exp < limit) {
        this.#users.delete(key);
      }
    }
  }

  /** Returns whether it refuses more than before, or for longer. */
  #addOne(revocation: Revocation): boolean {
    if (revocation.scope === 'session') {
      const before = this.#sessions.size;
      this.#sessions.set(sessionKey(revocation), revocation.exp);
      return this.#sessions.size > before;
    }
    const key = userKey(revocation.sub);
    const known = this.#users.get(key);
    if (known && known.iat >= revocation.iat && known.exp >= revocation.exp) {
      return false;
    }
    this.#users.set(
      key,
      known ? joinRevocations(known, revocation) : revocation,
    );
    return true;
  }
}
