const INTERVAL_MS = 1_000;

// Keys may hold values that clients send. The events of further keys share one key.
const MAX_KEYS = 100;
const OTHER_KEYS = '…';

interface Interval<T> {
  beganAt: number;
  /** The latest event that was not emitted yet. */
  latest: T | undefined;
  /** The number of events before `latest` that were not emitted. */
  omitted: number;
  timer: NodeJS.Timeout;
}

/**
 * Emits at most one event a second per key: the first at once, then the latest of each second, with the number of events
 * that were left out before it. The last second of a flood is emitted too, so that no event is lost silently.
 */
export class EventLimit<T> {
  readonly #intervals = new Map<string, Interval<T>>();

  constructor(private readonly emit: (event: T, omitted: number) => void) {}

  add(key: string, event: T): void {
    const known = this.#intervals.has(key) || this.#intervals.size < MAX_KEYS;
    const boundedKey = known ? key : OTHER_KEYS;
    const interval = this.#current(boundedKey);
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

  /** Emits the events that wait for their second to end, before the process ends. */
  flush(): void {
    for (const key of this.#intervals.keys()) {
      this.#end(key);
    }
  }

  /** Returns the current interval. Timers may be late: an interval that is over ends here, as its timer would end it. */
  #current(key: string): Interval<T> | undefined {
    const interval = this.#intervals.get(key);
    if (interval && Date.now() - interval.beganAt >= INTERVAL_MS) {
      return this.#end(key) ? this.#begin(key) : undefined;
    }
    return interval;
  }

  #begin(key: string): Interval<T> {
    const timer = setTimeout(() => {
      if (this.#end(key)) {
        this.#begin(key);
      }
    }, INTERVAL_MS);
    timer.unref();
    const beganAt = Date.now();
    const interval = { beganAt, latest: undefined, omitted: 0, timer };
    this.#intervals.set(key, interval);
    return interval;
  }

  /** Ends an interval, and returns whether it had an event to emit. */
  #end(key: string): boolean {
    const { latest, omitted, timer } = this.#intervals.get(key)!;
    clearTimeout(timer);
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
