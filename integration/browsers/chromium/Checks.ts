import { isDeepStrictEqual } from 'node:util';

/** Runs checks, and prints their results and totals. */
export class Checks {
  #passed = 0;
  #failed = 0;

  /** Runs checks that belong together. An error, such as a timeout, fails this group and not the groups after it. */
  async group(title: string, run: () => Promise<void>): Promise<void> {
    console.log(`\n${title}`);
    try {
      await run();
    } catch (error) {
      this.#fail(`${title}: ${error instanceof Error ? error.stack : error}`);
    }
  }

  equal(what: string, seen: unknown, expected: unknown): void {
    if (isDeepStrictEqual(seen, expected)) {
      this.#passed += 1;
      console.log(`ok: ${what}: ${show(seen)}`);
    } else {
      this.#fail(`${what}: saw ${show(seen)}, expected ${show(expected)}`);
    }
  }

  /** Checks a condition that several values may fulfil. */
  that(what: string, holds: boolean, seen: unknown): void {
    if (holds) {
      this.#passed += 1;
      console.log(`ok: ${what}: ${show(seen)}`);
    } else {
      this.#fail(`${what}: saw ${show(seen)}`);
    }
  }

  /**
   * Runs a group of checks, and once more if the browser has not done in time what the group waits for, and no check has failed: of
   * hundreds of pages that Chromium opens, one now and then sends no request for its image, or reports none. The drivers of both
   * browsers name their error alike.
   */
  async groupOrAgain(title: string, run: () => Promise<void>): Promise<void> {
    const passed = this.#passed;
    const failed = this.#failed;
    await this.group(title, async () => {
      try {
        await run();
      } catch (error) {
        const isLate = error instanceof Error && error.name === 'TimeoutError';
        if (!isLate || this.#failed > failed) {
          throw error;
        }
        console.log(`again, since the browser was late: ${error.stack}`);
        this.#passed = passed;
        await run();
      }
    });
  }

  /** Prints the totals. Returns whether all checks passed. */
  finish(): boolean {
    const failed = this.#failed > 0 ? `${this.#failed} failed, ` : '';
    const total = this.#failed + this.#passed;
    console.log(`\nTests: ${failed}${this.#passed} passed, ${total} total`);
    return this.#failed === 0 && total > 0;
  }

  #fail(message: string) {
    this.#failed += 1;
    console.log(`FAILED: ${message}`);
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
