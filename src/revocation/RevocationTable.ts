import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { databaseTime, TABLE } from './createRevocationTable';
import { Revocation, userKey } from './Revocation';

// A connection may go silent. Knex then gives it up, and the next query takes another.
const QUERY_TIMEOUT_MS = 5_000;

/** A row of the table. All but `recorded_at` is as version 0.1.0 writes and reads it. */
export interface RevocationRow extends Revocation {
  id: string;
  /** When the database recorded the row, in milliseconds of its own clock. */
  recorded_at?: number;
}

/** Queries the table of revocations, each in bounded time and of bounded size. */
export class RevocationTable {
  constructor(
    private readonly knex: Knex,
    /** `false` for a table of 0.1.0 that could not be changed. */
    readonly hasRecordedAt: boolean,
  ) {}

  /** Returns the milliseconds since the epoch by the clock that `recorded_at` is of. */
  async now(): Promise<number> {
    const [{ now }] = await this.knex
      .select({ now: this.knex.raw(databaseTime(this.knex)) })
      .timeout(QUERY_TIMEOUT_MS);
    return Number(now);
  }

  /** Reads rows in the order of their ids. */
  async readById(afterId: string, limit: number): Promise<RevocationRow[]> {
    const rows = await this.knex(TABLE)
      .select('id', 'scope', 'sub', 'iat', 'exp')
      .where('id', '>', afterId)
      .orderBy('id')
      .limit(limit)
      .timeout(QUERY_TIMEOUT_MS);
    return rows.map(toRow);
  }

  /** Reads rows in the order in which the database recorded them, those of one moment by their ids. */
  async readByTime(
    after: { recordedAt: number; id: string },
    limit: number,
  ): Promise<RevocationRow[]> {
    const rows = await this.knex(TABLE)
      .select('id', 'scope', 'sub', 'iat', 'exp', 'recorded_at')
      .where('recorded_at', '>=', after.recordedAt)
      .where(inner =>
        inner
          .where('recorded_at', '>', after.recordedAt)
          .orWhere('id', '>', after.id),
      )
      .orderBy(['recorded_at', 'id'])
      .limit(limit)
      .timeout(QUERY_TIMEOUT_MS);
    return rows.map(toRow);
  }

  /** Writes a revocation: one row for a session, and one for a user, which a later revocation makes last longer. */
  async write(revocation: Revocation): Promise<void> {
    const { scope, sub, iat, exp } = revocation;
    const recorded = this.hasRecordedAt && {
      recorded_at: this.knex.raw(databaseTime(this.knex)),
    };
    const insert = this.knex(TABLE)
      .insert({ id: idOf(revocation), scope, sub, iat, exp, ...recorded })
      .onConflict('id');
    await (
      scope === 'session'
        ? insert.ignore()
        : insert.merge({
            iat: this.#atLeast('iat', iat),
            exp: this.#atLeast('exp', exp),
            ...recorded,
          })
    ).timeout(QUERY_TIMEOUT_MS);
  }

  /** Deletes rows that have expired before, and returns how many it found. */
  async removeExpired(before: number, limit: number): Promise<number> {
    const expired = await this.knex(TABLE)
      .where('exp', '<', before)
      .limit(limit)
      .pluck('id')
      .timeout(QUERY_TIMEOUT_MS);
    if (expired.length > 0) {
      await this.knex(TABLE)
        .whereIn('id', expired)
        // The row of a user may have been extended meanwhile.
        .where('exp', '<', before)
        .delete()
        .timeout(QUERY_TIMEOUT_MS);
    }
    return expired.length;
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

/** PostgreSQL's driver gives a bigint as text. */
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

/** The id of a session's row is the one that version 0.1.0 gives it. */
function idOf({ scope, sub, iat, exp }: Revocation): string {
  const parts =
    scope === 'user' ? [scope, userKey(sub)] : [scope, sub, iat, exp];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
