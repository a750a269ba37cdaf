import { createHash } from 'node:crypto';
import type { Knex } from 'knex';
import { createTable, readDatabaseTime } from '../util/createTable';
import type { GateDatabase } from '../util/GateDatabase';
import { emptyUse, joinUses, keyOf, Use, Used } from './Use';

const TABLE = 'api_gate_usage';
const COLUMNS = [
  'id',
  'kind',
  'name',
  'created_at',
  'seen_at',
  'observed',
  'uses',
];

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
  private constructor(private readonly database: GateDatabase) {}

  /** Creates the table if it is missing: see {@link createTable}. */
  static async create(database: GateDatabase): Promise<UsageTable> {
    await createTable(database, { name: TABLE, columns: COLUMNS, define });
    return new UsageTable(database);
  }

  /** Returns the milliseconds since the epoch by the database's clock. */
  async now(): Promise<number> {
    return readDatabaseTime(this.database);
  }

  /** Reads all rows. Their number is bounded by the configuration. */
  async read(): Promise<UsageRow[]> {
    const rows = await this.database.run(knex =>
      knex(TABLE).select('kind', 'name', 'created_at', 'observed', 'uses'),
    );
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
      const rows = part.map(used => ({
        id: idOf(used),
        ...used,
        created_at: now,
        seen_at: now,
        observed: 0,
        uses: text,
      }));
      await this.database.run(knex =>
        knex(TABLE).insert(rows).onConflict('id').ignore(),
      );
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
      await this.database.run(knex =>
        knex(TABLE)
          .whereIn('id', part.map(idOf))
          .where('seen_at', '<', now)
          // MySQL assigns in this order, and reads what it has assigned.
          .update({
            observed: knex.raw(
              'observed + case when seen_at >= ? then ? - seen_at else 0 end',
              [now - maxGapMs, now],
            ),
            seen_at: now,
          }),
      );
    }
  }

  /** Adds to a row as it was read. Returns the new row; `undefined` if another replica has changed it since. */
  async add(row: UsageRow, added: Use): Promise<UsageRow | undefined> {
    const use = joinUses(row.use, added);
    const text = JSON.stringify(use);
    const changed = await this.database.run(knex =>
      knex(TABLE)
        .where({ id: idOf(row), uses: row.text })
        .update({ uses: text }),
    );
    return changed === 1 ? { ...row, use, text } : undefined;
  }

  /** Deletes the rows that no replica has observed since a time. */
  async removeUnseen(before: number): Promise<void> {
    await this.database.run(knex =>
      knex(TABLE).where('seen_at', '<', before).delete(),
    );
  }
}

function define(table: Knex.CreateTableBuilder): void {
  table.string('id', 64).primary();
  table.string('kind', 16).notNullable();
  table.text('name').notNullable();
  table.bigInteger('created_at').notNullable();
  table.bigInteger('seen_at').notNullable();
  table.bigInteger('observed').notNullable();
  table.text('uses').notNullable();
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
