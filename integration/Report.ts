/** Prints one line for each check, and the totals. */
export class Report {
  #passed = 0;
  #failed = 0;

  /** @param run - returns the measurement, and throws if the check fails */
  async check(name: string, run: () => Promise<string>): Promise<void> {
    const startedAt = performance.now();
    const took = () =>
      `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
    try {
      const measured = await run();
      this.#passed += 1;
      console.log(`ok: ${name}: ${measured} [${took()}]`);
    } catch (error) {
      this.fail(name, error, took());
    }
  }

  fail(name: string, error: unknown, took = '-'): void {
    this.#failed += 1;
    const message = error instanceof Error ? error.message : String(error);
    console.log(`FAILED: ${name}: ${message} [${took}]`);
  }

  /** Prints the line by which `.ci/run` counts. */
  end(): boolean {
    const total = this.#passed + this.#failed;
    const failed = this.#failed > 0 ? `${this.#failed} failed, ` : '';
    console.log(`Tests: ${failed}${this.#passed} passed, ${total} total`);
    return this.#failed === 0 && total > 0;
  }
}

/** @throws Error unless both are equal */
export function expectEqual<T>(what: string, actual: T, expected: T): void {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== e) {
    throw new Error(`${what}: ${a} instead of ${e}`);
  }
}

/** Returns the smallest, middle and largest value, in milliseconds. */
export function spread(values: number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) =>
    Math.round(sorted[Math.floor(part * (sorted.length - 1))]);
  return `min ${at(0)} ms, median ${at(0.5)} ms, max ${at(1)} ms`;
}
