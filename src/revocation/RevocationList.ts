import {
  CLOCK_SKEW_SECONDS,
  now,
  Revocation,
  SessionClaims,
  userKey,
} from './Revocation';

/**
 * The live revocations of all replicas, in memory: what a request is judged by. A revocation is never taken back, so the
 * list only grows, until what it holds has expired.
 */
export class RevocationList {
  readonly #sessions = new Map<string, Revocation>();
  readonly #users = new Map<string, Revocation>();
  readonly #listeners = new Set<() => void>();

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
    let grew = false;
    for (const revocation of revocations) {
      grew = this.#addOne(revocation) || grew;
    }
    if (grew) {
      this.#listeners.forEach(listener => listener());
    }
  }

  /** Calls back whenever there is a new revocation. */
  onRevoked(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Forgets what no valid token can match any more. */
  removeExpired(): void {
    const limit = now() - CLOCK_SKEW_SECONDS;
    for (const map of [this.#sessions, this.#users]) {
      for (const [key, { exp }] of map) {
        if (exp < limit) {
          map.delete(key);
        }
      }
    }
  }

  #addOne(revocation: Revocation): boolean {
    if (revocation.scope === 'session') {
      const key = sessionKey(revocation);
      const isNew = !this.#sessions.has(key);
      this.#sessions.set(key, revocation);
      return isNew;
    }
    const key = userKey(revocation.sub);
    const known = this.#users.get(key);
    if (known && known.iat >= revocation.iat && known.exp >= revocation.exp) {
      return false;
    }
    this.#users.set(key, {
      ...revocation,
      iat: Math.max(revocation.iat, known?.iat ?? 0),
      exp: Math.max(revocation.exp, known?.exp ?? 0),
    });
    return true;
  }
}

function sessionKey({ sub, iat, exp }: SessionClaims): string {
  return `${iat} ${exp} ${sub}`;
}
