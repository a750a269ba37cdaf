const INTERVAL_MS = 1_000;

// Keys may hold values that clients send. The events of further keys share one key.
const MAX_KEYS = 100;
const OTHER_KEYS = '…';

// Once the labels have so many bytes, they are emitted before the second ends, so that they fit a line of the log.
const MAX_LABEL_BYTES = 4_000;

interface Interval<T> {
  beganAt: number;
  /** The latest event that was not emitted yet. */
  latest: { event: T; label: string } | undefined;
  /** The number of events before `latest` that were not emitted. */
  omitted: number;
  /** Their labels, without those that were emitted as a full group. */
  labels: string[];
  /** The size of the labels as JSON. */
  labelBytes: number;
  timer: NodeJS.Timeout;
}

/**
 * Emits at most one event a second per key: the first at once, then the latest of each second, with the number and the labels
 * of the events that were left out before it. The last second of a flood is emitted too, so that no event is lost silently.
 */
export class EventLimit<T> {
  readonly #intervals = new Map<string, Interval<T>>();
  #isStopped = false;

  /** @param emitLabels - receives labels of events that are left out, so that memory and lines are bounded in a flood */
  constructor(
    private readonly emit: (
      event: T,
      omitted: number,
      labels: string[],
    ) => void,
    private readonly emitLabels: (key: string, labels: string[]) => void,
  ) {}

  /** @param id - identifies the event in the labels, together with the key where several keys share one */
  add(key: string, id: string, event: T): void {
    const known = this.#intervals.has(key) || this.#intervals.size < MAX_KEYS;
    const boundedKey = known ? key : OTHER_KEYS;
    let interval = this.#intervals.get(boundedKey);
    // Timers may be late: an interval that is over ends here, as its timer would end it.
    if (interval && Date.now() - interval.beganAt >= INTERVAL_MS) {
      interval = this.#renew(boundedKey);
    }
    if (!interval) {
      if (!this.#isStopped) {
        this.#begin(boundedKey);
      }
      this.emit(event, 0, []);
      return;
    }
    if (interval.latest) {
      interval.omitted += 1;
      interval.labels.push(interval.latest.label);
      interval.labelBytes += interval.latest.label.length + 3;
    }
    interval.latest = { event, label: known ? id : `${id} ${key}` };
    if (interval.labelBytes > MAX_LABEL_BYTES) {
      interval.labelBytes = 0;
      this.emitLabels(boundedKey, interval.labels.splice(0));
    }
  }

  /** Emits the events that wait for their second to end, and each later event at once, since the process ends. */
  stop(): void {
    this.#isStopped = true;
    for (const key of this.#intervals.keys()) {
      this.#end(key);
    }
  }

  /** Ends an interval, and begins another if it had an event to emit. */
  #renew(key: string): Interval<T> | undefined {
    return this.#end(key) ? this.#begin(key) : undefined;
  }

  #begin(key: string): Interval<T> {
    const timer = setTimeout(() => this.#renew(key), INTERVAL_MS);
    timer.unref();
    const interval = {
      beganAt: Date.now(),
      latest: undefined,
      omitted: 0,
      labels: [],
      labelBytes: 0,
      timer,
    };
    this.#intervals.set(key, interval);
    return interval;
  }

  /** Ends an interval, and returns whether it had an event to emit. */
  #end(key: string): boolean {
    const { latest, omitted, labels, timer } = this.#intervals.get(key)!;
    clearTimeout(timer);
    this.#intervals.delete(key);
    if (latest === undefined) {
      return false;
    }
    try {
      this.emit(latest.event, omitted, labels);
    } catch {
      // An exception in a timer would end the process.
    }
    return true;
  }
}
