import { LRUCache } from 'lru-cache';
import type { Refusal } from '../Refusal';

const KEPT_MS = 1_000;
const MAX_FAILURES = 1_000;
// A key holds the plugin id that a client has sent, so its length is bounded.
const MAX_CHARACTERS = 200_000;

interface Failure {
  refusal: Refusal;
  /** By `performance.now()`, which does not follow changes of the clock. */
  failedAt: number;
}

/**
 * Caches for a second which tokens are invalid, so that a flood of one token is verified once a second. Only failures that can't
 * change within that time belong here, unlike missing keys. It is apart from the `TokenCache`, where a flood of invalid tokens
 * would evict valid ones.
 */
export class NegativeTokenCache extends LRUCache<string, Failure> {
  constructor() {
    super({ max: MAX_FAILURES, maxSize: MAX_CHARACTERS });
  }

  /**
   * Returns the refusal of a token that was invalid within the last second.
   *
   * @param key - identifies the token and its verifier: the same token may be valid for another plugin
   */
  recall(key: string): Refusal | undefined {
    const failure = this.get(key);
    return failure && performance.now() - failure.failedAt < KEPT_MS
      ? failure.refusal
      : undefined;
  }

  add(key: string, refusal: Refusal): void {
    const failure = { refusal, failedAt: performance.now() };
    this.set(key, failure, { size: key.length });
  }
}
