import { InputError } from '@backstage/errors';
import type { GateDatabase } from '../GateDatabase';
import { oldestLive, Revocation } from '../../gate/sessions/Revocation';
import type { RevocationPage, RevocationStore } from './RevocationStore';
import { RevocationRow, RevocationTable } from './RevocationTable';

const PAGE_ROWS = 1_000;

/**
 * Each reading starts this long before the newest row of the previous one, by the database's clock. The overlap covers rows that are
 * committed later than they were recorded, and a database clock that is behind after a failover.
 */
export const OVERLAP_MS = 120_000;

/**
 * Keeps revocations in a table of the `auth` plugin's database. Each reading finds the rows that were recorded since shortly before the
 * newest one of the last reading. The database's clock orders the rows, so the clocks of the replicas do not matter.
 */
export class DatabaseRevocationStore implements RevocationStore {
  constructor(
    private readonly table: Pick<RevocationTable, keyof RevocationTable>,
  ) {}

  static async create(
    database: GateDatabase,
  ): Promise<DatabaseRevocationStore> {
    return new DatabaseRevocationStore(await RevocationTable.create(database));
  }

  /**
   * Reads a page. The cursor of a new reading is `newest`, the time of the newest row, and the cursor of a next page `recordedAt~id`, its
   * place. Without a cursor, and for one that is not of this table, all rows are read: reading too much loses nothing.
   */
  async read(cursor = ''): Promise<RevocationPage> {
    const [, time = '0', id] = cursor.match(/^(\d{1,15})(?:~(.+))?$/s) ?? [];
    const from = Number(time) - (id === undefined ? OVERLAP_MS : 0);
    const place = { recorded_at: from, id: id ?? '' };
    const rows = await this.table.read(place, PAGE_ROWS);
    const hasMore = rows.length === PAGE_ROWS;
    const last = rows.at(-1);
    const oldest = oldestLive();
    return {
      revocations: rows
        .filter(({ exp }) => exp >= oldest)
        .map(({ scope, sub, iat, exp }) => ({ scope, sub, iat, exp })),
      cursor: hasMore
        ? `${last!.recorded_at}~${last!.id}`
        : newestOf(last, time),
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

  async removeExpired(): Promise<boolean> {
    const found = await this.table.removeExpired(oldestLive(), PAGE_ROWS);
    return found === PAGE_ROWS;
  }
}

/** Returns the time of the newest row of a reading. A row that is of the future, by a clock that was set back since, does not hide later ones. */
function newestOf(last: RevocationRow | undefined, time: string): string {
  return last ? `${Math.min(last.recorded_at, last.read_at)}` : time;
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
