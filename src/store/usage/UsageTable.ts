import type { Knex } from 'knex';
import { chunk, pick, sortBy } from 'lodash';
import { createTable, hashKey, readDatabaseTime } from '../createTable';
import type { DatabaseConnections } from '../DatabaseConnections';
import { addDay, Count, dayOf, DAYS_KEPT, keyOf, Use } from './Use';

const TABLE = 'api_gate_usage';
const KEY = ['day', 'hash'];
const COLUMNS = [...KEY, 'kind', 'name', 'plugin', 'requests', 'anonymous'];

// A statement for more rows would block the process for longer, and a slow database could not answer it in time.
const ROWS_OF_READ = 10_000;

// SQLite joins the rows of one insert by UNION, and allows 500 of them.
const ROWS_OF_INSERT = 500;

/** The requests for one rule or token on one day. */
interface Row extends Count {
  day: number;
  hash: string;
}

/**
 * The table of the `auth` plugin's database with the requests for each rule or token on each day. All processes add to the same row.
 * The table holds nothing that a client sends but the subject of a token that verified, and the path of a request that worked: see
 * `recordableOf`.
 */
export class UsageTable {
  /** The uses on the days before yesterday. No process writes to these days any more, so they are read once a day. */
  #past = { today: 0, uses: new Map<string, Use>() };

  constructor(private readonly database: DatabaseConnections) {}

  async create(): Promise<void> {
    await createTable(this.database, { name: TABLE, columns: COLUMNS, define });
  }

  /** Reads the day by the database's clock. */
  async today(): Promise<number> {
    return dayOf(await readDatabaseTime(this.database));
  }

  /** Adds counts to those of the day in the table. Calls back for each row that the database has confirmed. */
  async add(day: number, counts: Count[], added: (row: Row) => void) {
    const rows = counts.map(count => ({
      ...pick(count, ['kind', 'name', 'plugin', 'requests', 'anonymous']),
      day,
      hash: hashKey(keyOf(count)),
    }));
    // Replicas that lock rows in the same order do not wait for each other in a circle.
    for (const part of chunk(sortBy(rows, 'hash'), ROWS_OF_INSERT)) {
      await this.database.run(knex => addition(knex, part));
      for (const row of part) {
        added(row);
      }
    }
  }

  /** Reads the use of each rule and token by {@link keyOf}, on the last 30 days and today. Once a day, it deletes the rows of earlier days. */
  async read(today: number): Promise<Map<string, Use>> {
    if (this.#past.today !== today) {
      const uses = new Map<string, Use>();
      await this.#readDays(uses, today, [today - DAYS_KEPT, ''], today - 2);
      this.#past = { today, uses };
      await this.database.run(knex =>
        knex(TABLE)
          .where('day', '<', today - DAYS_KEPT)
          .delete(),
      );
    }
    const uses = new Map(this.#past.uses);
    await this.#readDays(uses, today, [today - 1, ''], today);
    return uses;
  }

  /** Adds the rows after a key, up to the last day, to uses. */
  async #readDays(
    uses: Map<string, Use>,
    today: number,
    after: [day: number, hash: string],
    last: number,
  ): Promise<void> {
    const rows: Row[] = await this.database.run(knex =>
      knex(TABLE)
        .select(COLUMNS)
        .whereRaw('(??, ??) > (?, ?)', [...KEY, ...after])
        .where('day', '<=', last)
        .orderBy(KEY)
        .limit(ROWS_OF_READ),
    );
    for (const row of rows) {
      // PostgreSQL's driver returns a bigint as text.
      const [requests, anonymous] = [+row.requests, +row.anonymous];
      addDay(uses, { ...row, requests, anonymous }, today);
    }
    if (rows.length === ROWS_OF_READ) {
      const { day, hash } = rows[ROWS_OF_READ - 1];
      await this.#readDays(uses, today, [day, hash], last);
    }
  }
}

function addition(knex: Knex, rows: Row[]): Knex.QueryBuilder {
  const added = knex.client.dialect === 'mysql' ? 'values(??)' : 'excluded.??';
  const sumOf = (column: string) =>
    knex.raw(`?? + ${added}`, [`${TABLE}.${column}`, column]);
  return knex(TABLE)
    .insert(rows)
    .onConflict(KEY)
    .merge({ requests: sumOf('requests'), anonymous: sumOf('anonymous') });
}

function define(table: Knex.CreateTableBuilder): void {
  table.integer('day').notNullable();
  table.string('hash', 64).notNullable();
  table.string('kind', 16).notNullable();
  table.text('name').notNullable();
  table.text('plugin').notNullable();
  table.bigInteger('requests').notNullable();
  table.bigInteger('anonymous').notNullable();
  table.primary(KEY);
}
