import { LRUCache } from 'lru-cache';
import type { Refusal } from '../decision/Refusal';

const KEPT_MS = 1_000;
const MAX_FAILURES = 1_000;
// A key holds the plugin id that a client has sent, so its length is bounded.
const MAX_CHARACTERS = 200_000;

/**
 * Caches for a second which tokens are invalid, so that a flood of one token is verified once a second. Only failures that can't
 * change within that time belong here, unlike missing keys. It is apart from the `TokenCache`, where a flood of invalid tokens
 * would evict valid ones.
 */
export class NegativeTokenCache {
  /** The failures, with their time by `performance.now()`, which does not follow changes of the clock. */
  readonly #failures = new LRUCache<
    string,
    { refusal: Refusal; failedAt: number }
  >({
    max: MAX_FAILURES,
    maxSize: MAX_CHARACTERS,
  });

  /** Whether no token was invalid since the start. Then there is no need to make a key, for which a token is hashed. */
  get isEmpty(): boolean {
    return this.#failures.size === 0;
  }

  /**
   * Returns the refusal of a token that was invalid within the last second.
   *
   * @param key - identifies the token and its verifier: the same token may be valid for another plugin
   */
  get(key: string): Refusal | undefined {
    const failure = this.#failures.get(key);
    return failure && performance.now() - failure.failedAt < KEPT_MS
      ? failure.refusal
      : undefined;
  }

  add(key: string, refusal: Refusal): void {
    const failure = { refusal, failedAt: performance.now() };
    this.#failures.set(key, failure, { size: key.length });
  }
}
