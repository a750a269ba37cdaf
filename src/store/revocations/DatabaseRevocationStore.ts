import { InputError } from '@backstage/errors';
import type { DatabaseConnections } from '../DatabaseConnections';
import { oldestLive, Revocation } from '../../gate/sessions/Revocation';
import type { RevocationPage, RevocationStore } from './RevocationStore';
import { RevocationTable, RowPlace, SPAN_MS } from './RevocationTable';

const PAGE_ROWS = 1_000;

/**
 * Each reading starts this long before the previous one began, by the database's clock. The overlap covers rows that are
 * committed later than they were recorded, and a database clock that is behind after a failover.
 */
export const OVERLAP_MS = 120_000;

/**
 * Keeps revocations in a table of the `auth` plugin's database. Each reading finds the rows that were recorded since the last
 * one, so its cost does not depend on the number of revocations. Rows of the overlap are read again only from the first span of
 * time on whose summary has changed. The database's clock orders the rows, so the clocks of the replicas do not matter.
 */
export class DatabaseRevocationStore implements RevocationStore {
  readonly isDatabase = true;

  constructor(
    private readonly table: Pick<RevocationTable, keyof RevocationTable>,
  ) {}

  static async create(
    database: DatabaseConnections,
  ): Promise<DatabaseRevocationStore> {
    return new DatabaseRevocationStore(await RevocationTable.create(database));
  }

  async read(cursor?: string): Promise<RevocationPage> {
    const { reading, after } = await this.#placeOf(cursor);
    const rows = after ? await this.table.read(after, PAGE_ROWS) : [];
    const hasMore = rows.length === PAGE_ROWS;
    const oldest = oldestLive();
    const last = rows[rows.length - 1];
    return {
      revocations: rows
        .filter(({ exp }) => exp >= oldest)
        .map(({ scope, sub, iat, exp }) => ({ scope, sub, iat, exp })),
      cursor: hasMore ? `${reading}~${last.recorded_at}~${last.id}` : reading,
      hasMore,
    };
  }

  async add(revocation: Revocation): Promise<void> {
    try {
      await this.table.write(revocation);
    } catch (error) {
      if (isRefusedForGood(error)) {
        throw new InputError('The database can not store this revocation');
      }
      throw error;
    }
  }

  /** Uses the earlier of both clocks: a replica whose clock is far ahead must not delete rows that other replicas still need. */
  async removeExpired(): Promise<boolean> {
    const before = oldestLive(Math.min(Date.now(), await this.table.now()));
    const found = await this.table.removeExpired(before, PAGE_ROWS);
    return found === PAGE_ROWS;
  }

  /**
   * Returns the reading of a cursor, and the row after which its next page begins, which is `undefined` if no row is new. The cursor of a
   * new reading is `time;spans`, with a summary of each span before that time, and the cursor of its next page `time;spans~recordedAt~id`.
   * Without a cursor, and for one that is not of this table, all rows are read: reading too much loses nothing.
   */
  async #placeOf(
    cursor: string | undefined,
  ): Promise<{ reading: string; after?: RowPlace }> {
    const [, reading, time, list, recordedAt, id] =
      cursor?.match(/^((\d{1,15})(?:;([\d.,]*))?)(?:~(\d{1,15})~(.+))?$/s) ??
      [];
    if (id !== undefined) {
      return { reading, after: { recorded_at: Number(recordedAt), id } };
    }
    const startedAt = await this.table.now();
    if (time === undefined) {
      return { reading: `${startedAt}`, after: { recorded_at: 0, id: '' } };
    }
    // The summaries come before the rows: a row that is committed in between changes the next summary.
    const spans = await this.table.summarize(
      Math.min(Number(time), startedAt) - OVERLAP_MS,
    );
    const known = list?.split(',');
    const changed = spans.find(({ text }) => !known?.includes(text));
    // The next reading needs no others, and a backend without the database sends them in an address, whose length is limited.
    const kept = spans
      .filter(({ from }) => Math.abs(startedAt - from) < OVERLAP_MS + SPAN_MS)
      .map(({ text }) => text);
    return {
      reading: `${startedAt};${kept}`,
      after: changed && { recorded_at: changed.from, id: '' },
    };
  }
}

/**
 * Returns whether the database refuses a row permanently. SQLSTATE 22 means that the data can't be stored, 54 that the row is too
 * large; connections, locks, privileges and disk space may recover.
 */
function isRefusedForGood(error: unknown): boolean {
  const { code, sqlState } = error as { code?: unknown; sqlState?: unknown };
  return [code, sqlState].some(
    state => typeof state === 'string' && /^(22|54)\w{3}$/.test(state),
  );
}
