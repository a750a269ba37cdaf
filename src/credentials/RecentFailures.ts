import { LRUCache } from 'lru-cache';

const KEPT_MS = 1_000;
const MAX_FAILURES = 1_000;
// A key holds what a client has written for the plugin's id.
const MAX_CHARACTERS = 200_000;

/**
 * Remembers for a second which tokens were found not valid, so that a flood of one of them is verified once a second. Only
 * what can't be otherwise a moment later belongs here: not a failure for want of keys.
 */
export class RecentFailures {
  /** When it was found, in milliseconds since the epoch. */
  readonly #failures = new LRUCache<string, number>({
    max: MAX_FAILURES,
    maxSize: MAX_CHARACTERS,
  });

  /** @param key - of the token, and of whose judgement it is: the same one may be valid for another plugin */
  has(key: string): boolean {
    // Mostly there are none, and a key is long.
    return (
      this.#failures.size > 0 &&
      Date.now() - (this.#failures.get(key) ?? 0) < KEPT_MS
    );
  }

  add(key: string): void {
    this.#failures.set(key, Date.now(), { size: key.length });
  }
}
