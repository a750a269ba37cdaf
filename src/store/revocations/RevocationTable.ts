import type { Knex } from 'knex';
import {
  createTable,
  databaseTime,
  hashKey,
  readDatabaseTime,
} from '../createTable';
import type { DatabaseConnections } from '../DatabaseConnections';
import { Revocation, revocationKey } from '../../gate/sessions/Revocation';

const TABLE = 'api_gate_revocations';
const COLUMNS = ['id', 'scope', 'sub', 'iat', 'exp', 'recorded_at'];

/** The length of the span of time whose rows {@link RevocationTable.summarize} sums up. */
export const SPAN_MS = 10_000;

export interface RevocationRow extends Revocation {
  id: string;
  /** The time at which the database recorded the row, in milliseconds of its own clock. */
  recorded_at: number;
}

/** The place of a row in the order of {@link RevocationTable.read}. */
export type RowPlace = Pick<RevocationRow, 'id' | 'recorded_at'>;

/** Queries the table of revocations. Each query is bounded in time and in size. */
export class RevocationTable {
  private constructor(private readonly database: DatabaseConnections) {}

  static async create(database: DatabaseConnections): Promise<RevocationTable> {
    await createTable(database, { name: TABLE, columns: COLUMNS, define });
    return new RevocationTable(database);
  }

  /** Returns the milliseconds since the epoch by the clock of `recorded_at`. */
  async now(): Promise<number> {
    return readDatabaseTime(this.database);
  }

  /**
   * Sums up the rows that were recorded since a time, span by span. Spans without rows are left out. Two equal summaries of a span mean
   * that no row was added to it meanwhile, none was extended, and none has left it.
   */
  async summarize(since: number) {
    const spans = await this.database.run(knex =>
      knex(TABLE)
        .select({
          from: knex.raw('recorded_at - recorded_at % ?', [SPAN_MS]),
          rows_in: knex.raw('count(*)'),
          sum_of: knex.raw('sum(recorded_at % ? + exp)', [SPAN_MS]),
          sum_iat: knex.raw('sum(iat)'),
        })
        .where('recorded_at', '>=', since - (since % SPAN_MS))
        .groupByRaw('1')
        .orderByRaw('1'),
    );
    return spans.map(({ from, rows_in, sum_of, sum_iat }) => ({
      /** The beginning of the span, in milliseconds of the database's clock. */
      from: Number(from),
      /** The beginning, the number of rows, and the sums of their times. */
      text: `${from}.${rows_in}.${sum_of}.${sum_iat}`,
    }));
  }

  /** Reads rows in the order in which the database recorded them. Rows of the same time are ordered by id. */
  async read(
    { recorded_at, id }: RowPlace,
    limit: number,
  ): Promise<RevocationRow[]> {
    return this.#read(query =>
      query
        .where('recorded_at', '>=', recorded_at)
        .where(inner =>
          inner.where('recorded_at', '>', recorded_at).orWhere('id', '>', id),
        )
        .orderBy(['recorded_at', 'id'])
        .limit(limit),
    );
  }

  /** Writes a revocation. A session has one row, and a user has one, which a later revocation extends. */
  async write(revocation: Revocation): Promise<void> {
    const { scope, sub, iat, exp } = revocation;
    await this.database.run(knex => {
      const recorded_at = knex.raw(databaseTime(knex));
      const insert = knex(TABLE)
        .insert({ id: idOf(revocation), scope, sub, iat, exp, recorded_at })
        .onConflict('id');
      if (scope === 'session') {
        return insert.ignore();
      }
      return insert.merge({
        iat: raise(knex, 'iat', iat),
        exp: raise(knex, 'exp', exp),
        recorded_at,
      });
    });
  }

  /** Deletes rows that expired before a time, and returns how many were found. */
  async removeExpired(before: number, limit: number): Promise<number> {
    const expired = await this.database.run(knex =>
      knex(TABLE).where('exp', '<', before).limit(limit).pluck('id'),
    );
    if (expired.length > 0) {
      await this.database.run(knex =>
        knex(TABLE)
          .whereIn('id', expired)
          // Check the expiry again: the row of a user may have been extended meanwhile.
          .where('exp', '<', before)
          .delete(),
      );
    }
    return expired.length;
  }

  async #read(
    narrow: (query: Knex.QueryBuilder) => Knex.QueryBuilder,
  ): Promise<RevocationRow[]> {
    const rows = await this.database.run(knex =>
      narrow(knex(TABLE).select(COLUMNS)),
    );
    // PostgreSQL's driver returns a bigint as text.
    return rows.map(({ iat, exp, recorded_at, ...row }: any) => ({
      ...row,
      iat: Number(iat),
      exp: Number(exp),
      recorded_at: Number(recorded_at),
    }));
  }
}

function define(table: Knex.CreateTableBuilder): void {
  table.string('id', 64).primary();
  table.string('scope', 16).notNullable();
  table.text('sub').notNullable();
  table.bigInteger('iat').notNullable();
  table.bigInteger('exp').notNullable().index();
  table.bigInteger('recorded_at').notNullable().index();
}

/** Returns the higher one of a value and of the column's number. */
function raise(knex: Knex, column: string, value: number) {
  const name = `${TABLE}.${column}`;
  const bindings = [name, value, value, name];
  return knex.raw('case when ?? < ? then ? else ?? end', bindings);
}

function idOf(revocation: Revocation): string {
  return hashKey(revocationKey(revocation));
}
