import { LRUCache } from 'lru-cache';
import { RateLimit } from '../util/RateLimit';

const MINUTE_MS = 60_000;
const SECOND_MS = 1_000;

// A flood of ids that are used once can't have come back.
const RETURN_AFTER_MS = 1_000;
const RETURNING_PER_SECOND = 5;
const MAX_TURNED_AWAY = 5_000;

/**
 * Bounds the work for ids that clients can make up: so many new ids a minute, and five a second of those that were turned
 * away before and come back. A real caller uses its id again, so that a flood of ids that are used once can't keep it out.
 */
export class NewcomerLimit {
  readonly #new: RateLimit;
  readonly #returning = new RateLimit({
    max: RETURNING_PER_SECOND,
    intervalMs: SECOND_MS,
  });
  /** When an id was turned away first. */
  readonly #turnedAway = new LRUCache<string, number>({ max: MAX_TURNED_AWAY });

  constructor(newPerMinute: number) {
    this.#new = new RateLimit({ max: newPerMinute, intervalMs: MINUTE_MS });
  }

  /** Returns whether there is room for the work for this id, and takes it. */
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
