import type {
  DatabaseService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { InputError } from '@backstage/errors';
import { createRevocationTable } from './createRevocationTable';
import { oldestLive, Revocation } from './Revocation';
import type { RevocationPage, RevocationStore } from './RevocationStore';
import { RevocationTable } from './RevocationTable';

const PAGE_ROWS = 1_000;

/**
 * Each reading starts this long before the previous one began, by the database's clock. The overlap covers rows that are
 * committed later than they were recorded, and a database clock that is behind after a failover.
 */
export const OVERLAP_MS = 120_000;

/** A position within a reading. A cursor without `after` is the end of a reading. */
interface Cursor {
  /** The database's time when the reading began. */
  startedAt: number;
  /** The last row of the previous page. A full reading goes by id, a reading of new rows by time. */
  after?: { recordedAt?: number; id: string };
}

/**
 * Keeps revocations in a table of the `auth` plugin's database. Each reading finds the rows that were recorded since the last
 * one, so its cost does not depend on the number of revocations. The database's clock orders the rows, so the clocks of the
 * replicas do not matter.
 */
export class DatabaseRevocationStore implements RevocationStore {
  constructor(
    private readonly table: Pick<RevocationTable, keyof RevocationTable>,
  ) {}

  /** Connects to the database, and creates the table if it is missing. */
  static async create(
    database: Pick<DatabaseService, 'getClient' | 'migrations'>,
    logger: LoggerService,
  ): Promise<DatabaseRevocationStore> {
    const { knex, hasRecordedAt } = await createRevocationTable(
      database,
      logger,
    );
    return new DatabaseRevocationStore(
      new RevocationTable(knex, hasRecordedAt),
    );
  }

  async read(text?: string): Promise<RevocationPage> {
    const { table } = this;
    const cursor = this.#parse(text);
    const startedAt = cursor?.after ? cursor.startedAt : await table.now();
    const after = cursor?.after ?? {
      recordedAt: cursor && Math.min(cursor.startedAt, startedAt) - OVERLAP_MS,
      id: '',
    };
    const { recordedAt } = after;
    const rows =
      recordedAt === undefined
        ? await table.readById(after.id, PAGE_ROWS)
        : await table.readByTime({ ...after, recordedAt }, PAGE_ROWS);

    const hasMore = rows.length === PAGE_ROWS;
    const oldest = oldestLive();
    const last = rows[rows.length - 1];
    const next: Cursor | undefined = hasMore
      ? {
          startedAt,
          after: {
            recordedAt: recordedAt === undefined ? undefined : last.recorded_at,
            id: last.id,
          },
        }
      : { startedAt };
    return {
      revocations: rows
        .filter(({ exp }) => exp >= oldest)
        .map(({ scope, sub, iat, exp }) => ({ scope, sub, iat, exp })),
      cursor: hasMore || table.hasRecordedAt ? format(next) : undefined,
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

  /** Returns `undefined`, which reads all rows, for a cursor that is not of this table: reading too much loses nothing. */
  #parse(text: string | undefined): Cursor | undefined {
    const [, startedAt, place, recordedAt, id] =
      text?.match(/^(\d{1,15})(~(\d{1,15})?~(.+))?$/s) ?? [];
    const isById = place !== undefined && recordedAt === undefined;
    if (startedAt === undefined || (!isById && !this.table.hasRecordedAt)) {
      return undefined;
    }
    return {
      startedAt: Number(startedAt),
      after:
        place === undefined
          ? undefined
          : {
              recordedAt:
                recordedAt === undefined ? undefined : Number(recordedAt),
              id,
            },
    };
  }
}

function format({ startedAt, after }: Cursor): string {
  return after
    ? `${startedAt}~${after.recordedAt ?? ''}~${after.id}`
    : `${startedAt}`;
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
