import { createHash } from 'node:crypto';
import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import {
  completeTable,
  databaseTime,
  statementsOf,
} from '../util/completeTable';
import { emptyUse, joinUses, keyOf, Use, Used } from './Use';

/** The part of a plugin's database service that the record needs. */
export type Database = Pick<DatabaseService, 'getClient' | 'migrations'>;

const TABLE = 'api_gate_usage';

const QUERY_TIMEOUT_MS = 5_000;

// SQLite joins the rows of one insert by UNION, and allows 500 of them.
const ROWS_AT_A_TIME = 100;

/** A row of the table. It holds nothing that a client sends but the subjects of tokens that verified. */
export interface UsageRow extends Used {
  /** The time at which the row was created, by the database's clock. */
  createdAt: number;
  /** How long some replica was up that had the rule or token in its configuration, in milliseconds. */
  observedMs: number;
  use: Use;
  /** The text of `use` in the table. */
  text: string;
}

/** The table of the `auth` plugin's database in which replicas add up how rules and tokens are used. */
export class UsageTable {
  private constructor(private readonly knex: Knex) {}

  /** @throws Error if the table is missing and can't be created; the message holds the SQL that creates it */
  static async create(database: Database): Promise<UsageTable> {
    const { knex, unfinished } = await completeTable(database, {
      inspect: async client =>
        (await client.schema.hasTable(TABLE)) ? 'complete' : 'missing',
      statementsFor,
    });
    if (unfinished) {
      throw new Error(
        `API gate keeps no record of which rules and tokens are used: the table ${TABLE} is not in the database of the auth plugin, and ${unfinished.reason}. Create it with: ${unfinished.sql}`,
      );
    }
    return new UsageTable(knex);
  }

  /** Returns the milliseconds since the epoch by the database's clock. */
  async now(): Promise<number> {
    const [{ now }] = await this.knex
      .select({ now: this.knex.raw(databaseTime(this.knex)) })
      .timeout(QUERY_TIMEOUT_MS);
    return Number(now);
  }

  /** Reads all rows. Their number is bounded by the configuration. */
  async read(): Promise<UsageRow[]> {
    const rows = await this.knex(TABLE)
      .select('kind', 'name', 'created_at', 'observed', 'uses')
      .timeout(QUERY_TIMEOUT_MS);
    return rows.map(({ kind, name, created_at, observed, uses }) => ({
      kind,
      name,
      createdAt: Number(created_at),
      observedMs: Number(observed),
      use: parse(uses),
      text: uses,
    }));
  }

  /** Inserts rows that are not there yet, and returns them. */
  async insert(all: Used[], now: number): Promise<UsageRow[]> {
    const text = JSON.stringify(emptyUse());
    for (const part of parts(all)) {
      await this.knex(TABLE)
        .insert(
          part.map(used => ({
            id: idOf(used),
            ...used,
            created_at: now,
            seen_at: now,
            observed: 0,
            uses: text,
          })),
        )
        .onConflict('id')
        .ignore()
        .timeout(QUERY_TIMEOUT_MS);
    }
    return all.map(used => ({
      ...used,
      createdAt: now,
      observedMs: 0,
      use: emptyUse(),
      text,
    }));
  }

  /**
   * Adds the time since the rows were last observed, by any replica, to the time of their observation. A longer time than
   * `maxGapMs` is none: no replica was up.
   */
  async observe(all: Used[], now: number, maxGapMs: number): Promise<void> {
    for (const part of parts(all)) {
      await this.knex(TABLE)
        .whereIn('id', part.map(idOf))
        .where('seen_at', '<', now)
        // MySQL assigns in this order, and reads what it has assigned.
        .update({
          observed: this.knex.raw(
            'observed + case when seen_at >= ? then ? - seen_at else 0 end',
            [now - maxGapMs, now],
          ),
          seen_at: now,
        })
        .timeout(QUERY_TIMEOUT_MS);
    }
  }

  /** Adds to a row as it was read. Returns the new row; `undefined` if another replica has changed it since. */
  async add(row: UsageRow, added: Use): Promise<UsageRow | undefined> {
    const use = joinUses(row.use, added);
    const text = JSON.stringify(use);
    const changed = await this.knex(TABLE)
      .where({ id: idOf(row), uses: row.text })
      .update({ uses: text })
      .timeout(QUERY_TIMEOUT_MS);
    return changed === 1 ? { ...row, use, text } : undefined;
  }

  /** Deletes the rows that no replica has observed since a time. */
  async removeUnseen(before: number): Promise<void> {
    await this.knex(TABLE)
      .where('seen_at', '<', before)
      .delete()
      .timeout(QUERY_TIMEOUT_MS);
  }
}

function statementsFor(knex: Knex): string[] {
  return statementsOf(
    knex.schema.createTable(TABLE, table => {
      table.string('id', 64).primary();
      table.string('kind', 16).notNullable();
      table.text('name').notNullable();
      table.bigInteger('created_at').notNullable();
      table.bigInteger('seen_at').notNullable();
      table.bigInteger('observed').notNullable();
      table.text('uses').notNullable();
    }),
  );
}

/** A hash, because a database may compare text without case, and limits the length of a key. */
function idOf(used: Used): string {
  return createHash('sha256').update(keyOf(used)).digest('hex');
}

/** Returns an empty record for text that the gate has not written. */
function parse(text: string): Use {
  try {
    return joinUses(emptyUse(), JSON.parse(text));
  } catch {
    return emptyUse();
  }
}

function parts<T>(all: T[]): T[][] {
  const count = Math.ceil(all.length / ROWS_AT_A_TIME);
  return Array.from({ length: count }, (_, i) =>
    all.slice(i * ROWS_AT_A_TIME, (i + 1) * ROWS_AT_A_TIME),
  );
}
