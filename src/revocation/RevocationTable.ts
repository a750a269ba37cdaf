import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { databaseTime } from '../util/completeTable';
import { Revocation, userKey } from './Revocation';

export const TABLE = 'api_gate_revocations';

// Knex gives up a silent connection after this time, and the next query opens another one.
const QUERY_TIMEOUT_MS = 5_000;

/** A row of the table. Version 0.1.0 writes and reads all columns but `recorded_at`. */
export interface RevocationRow extends Revocation {
  id: string;
  /** The time at which the database recorded the row, in milliseconds of its own clock. */
  recorded_at?: number;
}

/** Queries the table of revocations. Each query is bounded in time and in size. */
export class RevocationTable {
  constructor(
    private readonly knex: Knex,
    /** `false` for a table of version 0.1.0 to which the column could not be added. */
    readonly hasRecordedAt: boolean,
  ) {}

  /** Returns the milliseconds since the epoch by the clock of `recorded_at`. */
  async now(): Promise<number> {
    const [{ now }] = await this.knex
      .select({ now: this.knex.raw(databaseTime(this.knex)) })
      .timeout(QUERY_TIMEOUT_MS);
    return Number(now);
  }

  async readById(afterId: string, limit: number): Promise<RevocationRow[]> {
    const rows = await this.#query()
      .select('id', 'scope', 'sub', 'iat', 'exp')
      .where('id', '>', afterId)
      .orderBy('id')
      .limit(limit);
    return rows.map(toRow);
  }

  /** Reads rows in the order in which the database recorded them. Rows of the same time are ordered by id. */
  async readByTime(
    after: { recordedAt: number; id: string },
    limit: number,
  ): Promise<RevocationRow[]> {
    const rows = await this.#query()
      .select('id', 'scope', 'sub', 'iat', 'exp', 'recorded_at')
      .where('recorded_at', '>=', after.recordedAt)
      .where(inner =>
        inner
          .where('recorded_at', '>', after.recordedAt)
          .orWhere('id', '>', after.id),
      )
      .orderBy(['recorded_at', 'id'])
      .limit(limit);
    return rows.map(toRow);
  }

  /** Writes a revocation. A session has one row; a user has one row, which a later revocation extends. */
  async write(revocation: Revocation): Promise<void> {
    const { scope, sub, iat, exp } = revocation;
    const recorded = this.hasRecordedAt && {
      recorded_at: this.knex.raw(databaseTime(this.knex)),
    };
    const insert = this.#query()
      .insert({ id: idOf(revocation), scope, sub, iat, exp, ...recorded })
      .onConflict('id');
    await (scope === 'session'
      ? insert.ignore()
      : insert.merge({
          iat: this.#atLeast('iat', iat),
          exp: this.#atLeast('exp', exp),
          ...recorded,
        }));
  }

  /** Deletes rows that expired before a time, and returns how many were found. */
  async removeExpired(before: number, limit: number): Promise<number> {
    const expired = await this.#query()
      .where('exp', '<', before)
      .limit(limit)
      .pluck('id');
    if (expired.length > 0) {
      await this.#query()
        .whereIn('id', expired)
        // Check the expiry again: the row of a user may have been extended meanwhile.
        .where('exp', '<', before)
        .delete();
    }
    return expired.length;
  }

  #query() {
    return this.knex(TABLE).timeout(QUERY_TIMEOUT_MS);
  }

  #atLeast(column: string, value: number): Knex.Raw {
    const name = `${TABLE}.${column}`;
    return this.knex.raw('case when ?? < ? then ? else ?? end', [
      name,
      value,
      value,
      name,
    ]);
  }
}

/** Converts the numbers of a row: PostgreSQL's driver returns a bigint as text. */
function toRow({ id, scope, sub, iat, exp, recorded_at }: any): RevocationRow {
  return {
    id,
    scope,
    sub,
    iat: Number(iat),
    exp: Number(exp),
    recorded_at: Number(recorded_at),
  };
}

/** Returns the id of a row. The id of a session's row is the same as in version 0.1.0. */
function idOf({ scope, sub, iat, exp }: Revocation): string {
  const parts =
    scope === 'user' ? [scope, userKey(sub)] : [scope, sub, iat, exp];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
