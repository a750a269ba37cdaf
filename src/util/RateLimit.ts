import { LRUCache } from 'lru-cache';

// A key takes about 300 bytes at 30 uses. The least recently used key is forgotten first.
const MAX_KEYS = 1_000;

/**
 * Allows at most `max` uses of a key within any `intervalMs`. The limit uses the process's monotonic clock, so a step of the
 * system clock neither opens nor closes it.
 */
export class RateLimit {
  readonly #max: number;
  readonly #intervalMs: number;
  /** The times of each key's uses, in milliseconds of the process's clock, oldest first. */
  readonly #uses: LRUCache<string, number[]>;

  constructor(options: {
    max: number;
    intervalMs: number;
    /** The number of keys in memory. Default: 1,000. */
    maxKeys?: number;
  }) {
    this.#max = options.max;
    this.#intervalMs = options.intervalMs;
    this.#uses = new LRUCache({ max: options.maxKeys ?? MAX_KEYS });
  }

  /** Takes one use of a key and returns 0, or takes none and returns the milliseconds until one is available. */
  take(key = ''): number {
    const now = performance.now();
    const uses = this.#uses.get(key) ?? [];
    while (now - uses[0] >= this.#intervalMs) {
      uses.shift();
    }
    this.#uses.set(key, uses);
    if (uses.length >= this.#max) {
      return uses[0] + this.#intervalMs - now;
    }
    uses.push(now);
    return 0;
  }
}
