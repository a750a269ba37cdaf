import { LRUCache } from 'lru-cache';

/**
 * Allows at most `max` uses of a key within any `intervalMs`. The limit uses the process's monotonic clock, so a step of the
 * system clock neither opens nor closes it.
 */
export class RateLimit {
  /** The times of each key's uses, in milliseconds of the process's clock, oldest first: about 300 bytes for 30 uses. The least recently used of 1,000 keys begins anew. */
  readonly #uses = new LRUCache<string, number[]>({ max: 1_000 });

  constructor(private readonly options: { max: number; intervalMs: number }) {}

  /** Takes one use of a key and returns 0, or takes none and returns the milliseconds until one is available. */
  take(key = ''): number {
    const { max, intervalMs } = this.options;
    const now = performance.now();
    const uses = this.#uses.get(key) ?? [];
    while (now - uses[0] >= intervalMs) {
      uses.shift();
    }
    this.#uses.set(key, uses);
    if (uses.length >= max) {
      return uses[0] + intervalMs - now;
    }
    uses.push(now);
    return 0;
  }
}
