import type { Knex } from 'knex';
import { mapValues, pick } from 'lodash';
import { createTable, databaseTime, hashKey } from '../createTable';
import type { GateDatabase } from '../GateDatabase';
import {
  CLOCK_SKEW_SECONDS,
  Revocation,
  revocationKey,
} from '../../gate/sessions/Revocation';

const TABLE = 'api_gate_revocations';
const COLUMNS = ['id', 'scope', 'sub', 'iat', 'exp', 'recorded_at'];
const NUMBERS = ['iat', 'exp', 'recorded_at', 'read_at'];

export interface RevocationRow extends Revocation {
  id: string;
  /** The time at which the database recorded the row, in milliseconds of its own clock. */
  recorded_at: number;
  /** The time by the same clock at which the row was read. */
  read_at: number;
}

/** The place of a row in the order of {@link RevocationTable.read}. */
export type RowPlace = Pick<RevocationRow, 'id' | 'recorded_at'>;

/** Queries the table of revocations. Each query is bounded in time and in size. */
export class RevocationTable {
  private constructor(private readonly database: GateDatabase) {}

  static async create(database: GateDatabase): Promise<RevocationTable> {
    await createTable(database, { name: TABLE, columns: COLUMNS, define });
    return new RevocationTable(database);
  }

  /** Reads rows in the order in which the database recorded them. Rows of the same time are ordered by id. */
  async read(
    { recorded_at, id }: RowPlace,
    limit: number,
  ): Promise<RevocationRow[]> {
    const rows = await this.database.run(
      knex =>
        knex(TABLE)
          .select([...COLUMNS, knex.raw(`${databaseTime(knex)} as read_at`)])
          .where('recorded_at', '>=', recorded_at)
          .where(inner =>
            inner.where('recorded_at', '>', recorded_at).orWhere('id', '>', id),
          )
          .orderBy(['recorded_at', 'id'])
          .limit(limit),
      // Sign-outs at this replica must not delay those of others.
      { first: true },
    );
    // PostgreSQL's driver returns a bigint as text.
    return rows.map(row => ({
      ...row,
      ...mapValues(pick(row, NUMBERS), Number),
    }));
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

  /**
   * Deletes rows that expired before a time by the clock of this process, and by the database's: a replica whose clock is far ahead must
   * not delete rows that other replicas still need. Returns how many were found.
   */
  async removeExpired(before: number, limit: number): Promise<number> {
    const expired = (knex: Knex) =>
      knex(TABLE)
        .where('exp', '<', before)
        .whereRaw(`exp < ${databaseTime(knex)} / 1000 - ?`, CLOCK_SKEW_SECONDS);
    const ids = await this.database.run(knex =>
      expired(knex).limit(limit).pluck('id'),
    );
    if (ids.length > 0) {
      // Check the expiry again: the row of a user may have been extended meanwhile.
      await this.database.run(knex =>
        expired(knex).whereIn('id', ids).delete(),
      );
    }
    return ids.length;
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
