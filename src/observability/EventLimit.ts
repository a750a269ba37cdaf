const INTERVAL_MS = 1_000;

// Keys may hold what clients send. Events of further keys share one.
const MAX_KEYS = 100;
const OTHER_KEYS = '…';

interface Interval<T> {
  /** The latest event that was left out. */
  latest: T | undefined;
  /** How many were left out before `latest`. */
  omitted: number;
  timer: NodeJS.Timeout;
}

/**
 * Emits at most one event a second per key: the first at once, then the latest of each second, with the number of those
 * that were left out before it. The last second of a flood is emitted too, so that no event is lost silently.
 */
export class EventLimit<T> {
  readonly #intervals = new Map<string, Interval<T>>();

  constructor(private readonly emit: (event: T, omitted: number) => void) {}

  add(key: string, event: T): void {
    const known = this.#intervals.has(key) || this.#intervals.size < MAX_KEYS;
    const boundedKey = known ? key : OTHER_KEYS;
    const interval = this.#intervals.get(boundedKey);
    if (!interval) {
      this.#begin(boundedKey);
      this.emit(event, 0);
      return;
    }
    if (interval.latest !== undefined) {
      interval.omitted += 1;
    }
    interval.latest = event;
  }

  /** Emits what was left out, for the end of the process. */
  flush(): void {
    for (const [key, { timer }] of this.#intervals) {
      clearTimeout(timer);
      this.#end(key);
    }
  }

  #begin(key: string) {
    const timer = setTimeout(() => {
      if (this.#end(key)) {
        this.#begin(key);
      }
    }, INTERVAL_MS);
    timer.unref();
    this.#intervals.set(key, { latest: undefined, omitted: 0, timer });
  }

  /** Returns whether there was something to emit. */
  #end(key: string): boolean {
    const { latest, omitted } = this.#intervals.get(key)!;
    this.#intervals.delete(key);
    if (latest === undefined) {
      return false;
    }
    try {
      this.emit(latest, omitted);
    } catch {
      // An exception in a timer would end the process.
    }
    return true;
  }
}
