import { LRUCache } from 'lru-cache';

// About 300 bytes each at 30 uses. The key that was used least recently is forgotten first.
const MAX_KEYS = 1_000;

/**
 * Allows at most `max` uses of a key within any `intervalMs`. The clock is the process's own, so that a step of the system
 * clock neither opens nor closes a limit.
 */
export class RateLimit {
  readonly #max: number;
  readonly #intervalMs: number;
  /** When each key was used, in milliseconds of the process's clock, oldest first. */
  readonly #uses: LRUCache<string, number[]>;

  constructor(options: {
    max: number;
    intervalMs: number;
    /** How many keys are remembered. Default: 1,000. */
    maxKeys?: number;
  }) {
    this.#max = options.max;
    this.#intervalMs = options.intervalMs;
    this.#uses = new LRUCache({ max: options.maxKeys ?? MAX_KEYS });
  }

  /** Takes one use of a key: 0, or the milliseconds until there is one, in which case none is taken. */
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
