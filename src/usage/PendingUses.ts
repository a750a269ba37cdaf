import { dayOf, emptyUse, joinUses, keyOf, Use, Used } from './Use';

// More than the rules and tokens of a configuration, and of its versions while the database is down.
const MAX_PENDING = 10_000;

interface Pending {
  used: Used;
  use: Use;
  /** The part that is on its way to the database. It is not in `use`. */
  writing?: Use;
}

/** Holds what was counted at this replica and is not in the database. The number of records is bounded. */
export class PendingUses {
  readonly #pending = new Map<string, Pending>();
  #hasDropped = false;

  /** Whether requests were left out since the start, because too many different rules and tokens were pending. */
  get hasDropped(): boolean {
    return this.#hasDropped;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** All rules and tokens with a record. */
  get used(): Used[] {
    return [...this.#pending.values()].map(({ used }) => used);
  }

  /** Adds one request that was received now. */
  addRequest(
    used: Used,
    { isAnonymous, plugin }: { isAnonymous: boolean; plugin?: string },
  ): void {
    const key = keyOf(used);
    let record = this.#pending.get(key);
    if (!record) {
      if (this.#pending.size >= MAX_PENDING) {
        this.#hasDropped = true;
        return;
      }
      record = { used, use: emptyUse() };
      this.#pending.set(key, record);
    }
    const { use } = record;
    const now = Date.now();
    const today = dayOf(now);
    use.lastUsed = now;
    const counts = (use.days[today] ??= [0, 0]);
    counts[0] += 1;
    counts[1] += isAnonymous ? 1 : 0;
    if (plugin !== undefined) {
      use.plugins[plugin] = today;
    }
  }

  /** Returns what was counted and is not in the database. */
  get(used: Used): Use {
    const record = this.#pending.get(keyOf(used));
    return joinUses(record?.use ?? emptyUse(), record?.writing);
  }

  /**
   * Writes all records. A record whose writing fails, or changes nothing, stays pending.
   *
   * @param write - resolves to whether the database has the record
   */
  async write(
    write: (used: Used, use: Use) => Promise<boolean>,
  ): Promise<void> {
    for (const [key, record] of [...this.#pending]) {
      const writing = record.use;
      record.writing = writing;
      record.use = emptyUse();
      let isWritten = false;
      try {
        isWritten = await write(record.used, writing);
      } finally {
        record.writing = undefined;
        if (!isWritten) {
          record.use = joinUses(record.use, writing);
        } else if (record.use.lastUsed === undefined) {
          this.#pending.delete(key);
        }
      }
    }
  }
}
