import { LRUCache } from 'lru-cache';
import type { Refusal } from '../Refusal';

/**
 * Caches for a second which tokens are invalid, so that a flood of one token is verified once a second. Only failures that can't
 * change within that time belong here, unlike missing keys. It is apart from the `TokenCache`, where a flood of invalid tokens
 * would evict valid ones.
 *
 * A key identifies the token and its verifier: the same token may be valid for another plugin. The times are those of
 * `performance.now()`, which does not follow changes of the clock.
 */
export class NegativeTokenCache extends LRUCache<string, Refusal> {
  constructor() {
    super({
      max: 1_000,
      // A key holds the plugin id that a client has sent, so its length is bounded.
      maxSize: 200_000,
      sizeCalculation: (_refusal, key) => key.length,
      ttl: 1_000,
      // The cache reads the time at each look-up, and starts no timers.
      ttlResolution: 0,
    });
  }
}
