import { LRUCache } from 'lru-cache';

const MAX_KEYS = 1_000;

// Backstage may wait as long before it fetches the keys of an endpoint again, and does not have a new one until then.
const NEW_MS = 30_000;

/** Keeps when the gate has first seen each key of an endpoint, by `performance.now()`. */
export class SeenKeys {
  #firstSeen: LRUCache<string, number> | undefined;

  has(kid: string): boolean {
    return this.#firstSeen?.has(kid) ?? false;
  }

  /** Whether the gate has first seen a key so lately that Backstage may not have it. */
  isNew(kid = ''): boolean {
    const firstSeen = this.#firstSeen?.get(kid) ?? -Infinity;
    return performance.now() - firstSeen < NEW_MS;
  }

  /** Adds the keys of an answer. Those of the first answer are old ones: they may have been there for long. */
  add(kids: readonly unknown[]): void {
    const now = this.#firstSeen ? performance.now() : -Infinity;
    this.#firstSeen ??= new LRUCache({ max: MAX_KEYS });
    for (const kid of kids) {
      if (typeof kid === 'string' && !this.#firstSeen.has(kid)) {
        this.#firstSeen.set(kid, now);
      }
    }
  }
}
