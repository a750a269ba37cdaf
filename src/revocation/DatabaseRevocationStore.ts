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
 * How long before the beginning of the last reading the next one begins, by the database's clock. A row may be committed
 * that much later than it was recorded, and after a failover the clock of the database may be behind by that much.
 */
export const OVERLAP_MS = 120_000;

/** A place in a reading; without `after`, the end of one. */
interface Cursor {
  /** The database's time when the reading began. */
  startedAt: number;
  /** The last row of the page before. A reading of all is by id, one of new rows by time. */
  after?: { recordedAt?: number; id: string };
}

/**
 * Keeps revocations in a table of the `auth` plugin's database. A reading finds what was recorded since the last one, so that
 * its cost does not depend on how many revocations there are. The clocks of the replicas do not matter: the database's own
 * clock orders the rows.
 */
export class DatabaseRevocationStore implements RevocationStore {
  constructor(
    private readonly table: Pick<RevocationTable, keyof RevocationTable>,
  ) {}

  /** Connects, and creates the table if need be. */
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
        throw new InputError('The database does not take this revocation');
      }
      throw error;
    }
  }

  /** By the clock that is behind: a replica whose clock is far ahead must not delete what others still need. */
  async removeExpired(): Promise<boolean> {
    const before = oldestLive(Math.min(Date.now(), await this.table.now()));
    const found = await this.table.removeExpired(before, PAGE_ROWS);
    return found === PAGE_ROWS;
  }

  /** Returns `undefined`, the beginning of all, for a cursor that is not of this table: to read too much loses nothing. */
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

/** SQLSTATE 22: the data can't be kept; 54: it is too large. A connection, a lock, a right or space may come back. */
function isRefusedForGood(error: unknown): boolean {
  const { code, sqlState } = error as { code?: unknown; sqlState?: unknown };
  return [code, sqlState].some(
    state => typeof state === 'string' && /^(22|54)\w{3}$/.test(state),
  );
}
