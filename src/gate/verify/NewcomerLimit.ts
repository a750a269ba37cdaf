import { LRUCache } from 'lru-cache';
import { RateLimit } from '../util/RateLimit';

// An id is a returning one only this long after it was turned away, which single-use ids never reach.
const RETURN_AFTER_MS = 1_000;
const RETURNING_PER_SECOND = 5;
const MAX_TURNED_AWAY = 5_000;

/**
 * Bounds the work for ids that clients can make up: a number of new ids per minute, and five per second of the ids that were
 * turned away before and return. A real caller uses its id again, so a flood of single-use ids can't keep it out.
 */
export class NewcomerLimit {
  readonly #new: RateLimit;
  readonly #returning = new RateLimit({
    max: RETURNING_PER_SECOND,
    intervalMs: 1_000,
  });
  /** The time at which an id was first turned away. */
  readonly #turnedAway = new LRUCache<string, number>({ max: MAX_TURNED_AWAY });

  constructor(newPerMinute: number) {
    this.#new = new RateLimit({ max: newPerMinute, intervalMs: 60_000 });
  }

  /** Returns whether the limit has room for the work for this id, and takes that room. */
  admits(id: string): boolean {
    const now = performance.now();
    const turnedAwayAt = this.#turnedAway.get(id);
    const isBack =
      turnedAwayAt !== undefined && now - turnedAwayAt >= RETURN_AFTER_MS;
    const hasRoom =
      this.#new.take() === 0 || (isBack && this.#returning.take() === 0);
    if (hasRoom) {
      this.#turnedAway.delete(id);
      return true;
    }
    if (turnedAwayAt === undefined) {
      this.#turnedAway.set(id, now);
    }
    return false;
  }
}
