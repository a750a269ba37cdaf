const FIRST_MS = 2_000;
const LAST_MS = 8_000;

// A refused connection fails faster. The next attempt costs the other side little then, so it need not wait.
const SLOW_MS = 1_000;

/** Doubles the wait between attempts that time out, from two seconds to eight. The wait varies, so that replicas do not stay in step. */
export class Backoff {
  #waitMs = 0;

  succeeded(): void {
    this.#waitMs = 0;
  }

  /** @param milliseconds - the time that the attempt took to fail */
  failedAfter(milliseconds: number): void {
    if (milliseconds >= SLOW_MS) {
      this.#waitMs = Math.min(Math.max(FIRST_MS, 2 * this.#waitMs), LAST_MS);
    }
  }

  /** Returns the time to wait; 0 if the last attempts did not time out. */
  waitMs(): number {
    return this.#waitMs * (0.7 + 0.2 * Math.random());
  }
}
