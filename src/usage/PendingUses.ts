import { addRequest, emptyUse, joinUses, keyOf, Use, Used } from './Use';

// More than the rules and tokens of a configuration, and of its versions while the database is down.
const MAX_PENDING = 10_000;

interface Pending {
  used: Used;
  use: Use;
}

/** Holds what was counted at this replica and is not in the database. The number of records is bounded. */
export class PendingUses {
  #pending = new Map<string, Pending>();
  readonly #writing = new Map<string, Pending>();
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

  addRequest(used: Used, request: Parameters<typeof addRequest>[1]): void {
    const record = this.#recordOf(used);
    if (record) {
      addRequest(record.use, request);
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
   * @param prepare - runs before the first one is written
   * @param write - resolves to whether the database has the record
   */
  async write(
    prepare: (used: Used[]) => Promise<void>,
    write: (used: Used, use: Use) => Promise<boolean>,
  ): Promise<void> {
    for (const [key, record] of this.#pending) {
      this.#writing.set(key, record);
    }
    this.#pending = new Map();
    try {
      await prepare(this.used);
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
