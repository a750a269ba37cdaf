import { LRUCache } from 'lru-cache';

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
  readonly #new: SlidingWindow;
  readonly #returning = new SlidingWindow(RETURNING_PER_SECOND, SECOND_MS);
  /** When an id was turned away first. */
  readonly #turnedAway = new LRUCache<string, number>({ max: MAX_TURNED_AWAY });

  constructor(newPerMinute: number) {
    this.#new = new SlidingWindow(newPerMinute, MINUTE_MS);
  }

  /** Returns whether there is room for the work for this id, and takes it. */
  admits(id: string): boolean {
    const now = performance.now();
    const turnedAwayAt = this.#turnedAway.get(id);
    const isBack =
      turnedAwayAt !== undefined && now - turnedAwayAt >= RETURN_AFTER_MS;
    if (this.#new.take(now) || (isBack && this.#returning.take(now))) {
      this.#turnedAway.delete(id);
      return true;
    }
    if (turnedAwayAt === undefined) {
      this.#turnedAway.set(id, now);
    }
    return false;
  }
}

/** At most `max` within any interval. */
class SlidingWindow {
  readonly #takenAt: number[] = [];

  constructor(
    private readonly max: number,
    private readonly intervalMs: number,
  ) {}

  take(now: number): boolean {
    while (now - this.#takenAt[0] >= this.intervalMs) {
      this.#takenAt.shift();
    }
    if (this.#takenAt.length >= this.max) {
      return false;
    }
    this.#takenAt.push(now);
    return true;
  }
}
