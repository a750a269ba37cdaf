import { userKey } from '../util/entityRef';
import {
  joinRevocations,
  oldestLive,
  Revocation,
  SessionClaims,
  sessionKey,
} from './Revocation';

/** Receives the users (by `userKey`) of new revocations. */
type RevokedListener = (users: ReadonlySet<string>) => void;

/**
 * Holds the live revocations of all replicas in memory, for the decision about each request. Revocations are never withdrawn:
 * entries leave the list only when they have expired.
 */
export class RevocationList {
  /** The expiry of each revoked session. The map stores nothing else, since there may be very many sessions. */
  readonly #sessions = new Map<string, number>();
  readonly #users = new Map<string, Revocation>();
  readonly #listeners = new Set<RevokedListener>();

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
    for (const [key, { exp }] of this.#users) {
      if (exp < limit) {
        this.#users.delete(key);
      }
    }
  }

  /** Adds a revocation. Returns whether the list now refuses more tokens, or refuses them for longer. */
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
