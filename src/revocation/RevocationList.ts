import { userKey } from '../util/entityRef';
import {
  endOfLock,
  joinRevocations,
  now,
  oldestLive,
  Revocation,
  SessionClaims,
  sessionKey,
} from './Revocation';

/** Receives the users (by `userKey`) of new revocations. */
type RevokedListener = (users: ReadonlySet<string>) => void;

/**
 * Holds the live revocations of all replicas in memory, for the decision about each request. Only a lock may be changed, by a later
 * one: all others stay until they have expired.
 */
export class RevocationList {
  /** The expiry of each revoked session. The map stores nothing else, since there may be very many sessions. */
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<string, Revocation>();
  readonly #locks = new Map<string, Revocation>();
  readonly #listeners = new Set<RevokedListener>();

  get size(): number {
    return this.#sessions.size + this.#users.size + this.#locks.size;
  }

  isRevoked(claims: SessionClaims): boolean {
    const key = userKey(claims.sub);
    const ofUser = this.#users.get(key);
    const lock = this.#locks.get(key);
    return (
      (ofUser !== undefined && claims.iat <= ofUser.iat) ||
      (lock !== undefined &&
        (isInForce(lock) || claims.iat <= endOfLock(lock))) ||
      this.#sessions.has(sessionKey(claims))
    );
  }

  /** Returns whether a user is locked out now: every token is refused then, whenever it was issued. */
  isLocked(sub: string): boolean {
    const lock = this.#locks.get(userKey(sub));
    return lock !== undefined && isInForce(lock);
  }

  /** Returns the locks that have not ended. */
  locks(): Revocation[] {
    return [...this.#locks.values()].filter(isInForce);
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

  /** Registers a listener for new revocations, which is called once for all that arrive together. */
  onRevoked(listener: RevokedListener): void {
    this.#listeners.add(listener);
  }

  /** Removes entries that no valid token can match any more. */
  removeExpired(): void {
    const limit = oldestLive();
    for (const [key, exp] of this.#sessions) {
      if (exp < limit) {
        this.#sessions.delete(key);
      }
    }
    for (const ofUsers of [this.#users, this.#locks]) {
      for (const [key, { exp }] of ofUsers) {
        if (exp < limit) {
          ofUsers.delete(key);
        }
      }
    }
  }

  /** Adds a revocation. Returns whether it is new: a lock may replace a longer one, and every other one refuses more tokens. */
  #addOne(revocation: Revocation): boolean {
    if (revocation.scope === 'session') {
      const before = this.#sessions.size;
      this.#sessions.set(sessionKey(revocation), revocation.exp);
      return this.#sessions.size > before;
    }
    const key = userKey(revocation.sub);
    if (revocation.scope === 'lock') {
      const isNew = revocation.iat > (this.#locks.get(key)?.iat ?? 0);
      if (isNew) {
        this.#locks.set(key, revocation);
      }
      return isNew;
    }
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

function isInForce(lock: Revocation): boolean {
  return now() < endOfLock(lock);
}
