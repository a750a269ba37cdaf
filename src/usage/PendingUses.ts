import { dayOf, emptyUse, joinUses, keyOf, Use, Used } from './Use';

// More than the rules and tokens of a configuration, and of its versions while the database is down.
const MAX_PENDING = 10_000;

interface Pending {
  used: Used;
  use: Use;
}

/** Holds what was counted at this replica and is not in the database. The number of records is bounded. */
export class PendingUses {
  #pending = new Map<string, Pending>();
  #writing = new Map<string, Pending>();
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
    return [...this.#writing.values(), ...this.#pending.values()].map(
      ({ used }) => used,
    );
  }

  /** Adds one request that was received now. */
  addRequest(
    used: Used,
    { isAnonymous, plugin }: { isAnonymous: boolean; plugin?: string },
  ): void {
    const use = this.#recordOf(used)?.use;
    if (!use) {
      return;
    }
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
    const key = keyOf(used);
    const writing = this.#writing.get(key)?.use ?? emptyUse();
    return joinUses(writing, this.#pending.get(key)?.use);
  }

  /**
   * Writes all records. A record whose writing fails, or changes nothing, is pending again.
   *
   * @param write - resolves to whether the database has the record
   */
  async write(
    write: (used: Used, use: Use) => Promise<boolean>,
  ): Promise<void> {
    this.#writing = this.#pending;
    this.#pending = new Map();
    try {
      for (const [key, { used, use }] of this.#writing) {
        if (await write(used, use)) {
          this.#writing.delete(key);
        }
      }
    } finally {
      for (const { used, use } of this.#writing.values()) {
        const record = this.#recordOf(used);
        if (record) {
          record.use = joinUses(record.use, use);
        }
      }
      this.#writing.clear();
    }
  }

  #recordOf(used: Used): Pending | undefined {
    const key = keyOf(used);
    let record = this.#pending.get(key);
    if (!record) {
      if (this.#pending.size >= MAX_PENDING) {
        this.#hasDropped = true;
        return undefined;
      }
      record = { used, use: emptyUse() };
      this.#pending.set(key, record);
    }
    return record;
  }
}
