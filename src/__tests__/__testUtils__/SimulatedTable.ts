import { createHash } from 'node:crypto';
import {
  joinRevocations,
  Revocation,
  revocationKey,
} from '../../gate/sessions/Revocation';
import {
  RevocationRow,
  RevocationTable,
  RowPlace,
} from '../../store/revocations/RevocationTable';

type Row = Omit<RevocationRow, 'read_at'>;

/**
 * A table of revocations in a database with a clock of its own, whose transactions are committed later than the time that they
 * record. The time is that of jest's fake timers.
 */
export class SimulatedTable implements Pick<
  RevocationTable,
  keyof RevocationTable
> {
  /** The lead of the database's clock over the clock of the replicas. */
  clockOffsetMs = 0;
  readonly #rows = new Map<string, Row>();
  #uncommitted: { row: Row; at: number }[] = [];
  #byTime: Row[] = [];

  get size(): number {
    return this.#rows.size;
  }

  /** Records a row now, in a transaction that is committed later. */
  writeLate(revocation: Revocation, delayMs: number): void {
    const id = idOf(revocation);
    const recorded_at = Date.now() + this.clockOffsetMs;
    this.#uncommitted.push({
      row: { ...revocation, id, recorded_at },
      at: Date.now() + delayMs,
    });
  }

  async write(revocation: Revocation): Promise<void> {
    this.writeLate(revocation, 0);
  }

  async read(
    { recorded_at, id }: RowPlace,
    limit: number,
  ): Promise<RevocationRow[]> {
    this.#commit();
    // Most rows are older.
    const from =
      this.#byTime.findLastIndex(
        row =>
          row.recorded_at < recorded_at ||
          (row.recorded_at === recorded_at && row.id <= id),
      ) + 1;
    const read_at = Date.now() + this.clockOffsetMs;
    return this.#byTime
      .slice(from, from + limit)
      .map(row => ({ ...row, read_at }));
  }

  async removeExpired(before: number, limit: number): Promise<number> {
    const expired = [...this.#rows.values()]
      .filter(({ exp }) => exp < before)
      .slice(0, limit);
    expired.forEach(({ id }) => this.#rows.delete(id));
    this.#byTime = this.#byTime.filter(({ id }) => this.#rows.has(id));
    return expired.length;
  }

  #commit() {
    const due = this.#uncommitted.filter(({ at }) => at <= Date.now());
    if (due.length === 0) {
      return;
    }
    this.#uncommitted = this.#uncommitted.filter(({ at }) => at > Date.now());
    for (const { row } of due) {
      const known = this.#rows.get(row.id);
      if (!known) {
        this.#put(row);
      } else if (row.scope !== 'session') {
        this.#byTime = this.#byTime.filter(each => each !== known);
        // The later transaction waits for the lock of the row, and records its time after that.
        const recorded_at = Math.max(known.recorded_at, row.recorded_at);
        const joined =
          row.scope === 'user'
            ? joinRevocations(known, row)
            : { ...row, iat: Math.max(known.iat + 1, row.iat) };
        this.#put({ ...row, ...joined, recorded_at });
      }
    }
    this.#byTime.sort(
      (a, b) => a.recorded_at - b.recorded_at || compare(a.id, b.id),
    );
  }

  #put(row: Row) {
    this.#rows.set(row.id, row);
    this.#byTime.push(row);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}

function idOf(revocation: Revocation): string {
  return createHash('sha256').update(revocationKey(revocation)).digest('hex');
}
