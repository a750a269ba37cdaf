import { createHash, randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import { mapValues, pick } from 'lodash';
import { createTable, readDatabaseTime } from '../util/createTable';
import type { DatabaseConnections } from '../util/DatabaseConnections';
import { Count, dayOf, DAYS_KEPT, keyOf, RECENT_DAYS, Use } from './Use';

const TABLE = 'api_gate_usage';
const KEY = ['used', 'day', 'process'];
const NAMES = { kind: 'kind', name: 'name', plugin: 'plugin' };
const COUNTS = { requests: 'requests', anonymous: 'anonymous' };
const COLUMNS = [...KEY, ...Object.keys(NAMES), ...Object.keys(COUNTS)];

/** The `process` of a row that has the sum of all processes. */
const ALL = '';

const DAYS_IN = 'count(distinct case when day >= ? and day < ? then day end)';

// SQLite joins the rows of one insert by UNION, and allows 500 of them.
const ROWS_AT_A_TIME = 100;

/**
 * The table of the `auth` plugin's database with the requests of each process, rule or token, and day by the database's clock. A row
 * is written by its own process alone, and as a whole, so that writing it again changes nothing. It holds nothing that a client sends but
 * the subject of a token that verified, and the path of a request that worked: see `recordablePathOf`.
 */
export class UsageTable {
  readonly #process = randomUUID();
  /** What {@link UsageTable.read} has found about rules of the days before a day. It is read once a day, because it is large. */
  #history = { today: 0, earlier: new Map<string, number[]>() };

  constructor(private readonly database: DatabaseConnections) {}

  /** Creates the table if it is missing: see {@link createTable}. */
  async create(): Promise<void> {
    await createTable(this.database, { name: TABLE, columns: COLUMNS, define });
  }

  async today(): Promise<number> {
    return dayOf(await readDatabaseTime(this.database));
  }

  /** Writes rows of this process, of today or yesterday: {@link tidy} may have summed up an earlier day. */
  async write(day: number, counts: Iterable<Count>): Promise<void> {
    const rows = [...counts].map(count => ({
      ...count,
      used: createHash('sha256').update(keyOf(count)).digest('hex'),
      day,
      process: this.#process,
    }));
    for (let i = 0; i < rows.length; i += ROWS_AT_A_TIME) {
      const part = rows.slice(i, i + ROWS_AT_A_TIME);
      await this.database.run(knex =>
        knex(TABLE).insert(part).onConflict(KEY).merge(Object.keys(COUNTS)),
      );
    }
  }

  /** Sums up all rows but those of this process and day. */
  async read(today: number): Promise<Use[]> {
    if (this.#history.today !== today) {
      this.#history = { today, earlier: await this.#readEarlier(today) };
    }
    const { earlier } = this.#history;
    const uses = await this.database.run(knex =>
      knex(TABLE)
        .select({
          days: knex.raw(DAYS_IN, [today - DAYS_KEPT, today]),
          recentDays: knex.raw(DAYS_IN, [today - RECENT_DAYS, today]),
          lastUsed: knex.raw('max(case when requests > 0 then day end)'),
        })
        .min({ ...NAMES, firstDay: 'day' })
        .sum(COUNTS)
        .where('day', '>=', today - DAYS_KEPT)
        .whereNot(own => own.where({ day: today, process: this.#process }))
        .groupBy('used'),
    );
    // PostgreSQL's driver returns a bigint as text.
    const numbers = ['days', 'recentDays', ...Object.keys(COUNTS)];
    return uses.map((use: any) => ({
      ...use,
      ...(use.kind === 'rule' && { earlier: earlier.get(use.name) }),
      ...mapValues(pick(use, numbers), Number),
    }));
  }

  /** Returns the requests of each day before today, by the name of the rule. */
  async #readEarlier(today: number): Promise<Map<string, number[]>> {
    const first = today - DAYS_KEPT;
    const rows = await this.database.run(knex =>
      knex(TABLE)
        .select('day')
        .min({ name: 'name' })
        .sum({ requests: 'requests' })
        .where({ kind: 'rule' })
        .where('requests', '>', 0)
        .whereBetween('day', [first, today - 1])
        .groupBy('used', 'day'),
    );
    const earlier = new Map<string, number[]>();
    for (const { day, name, requests } of rows as any[]) {
      const days = earlier.get(name) ?? new Array(DAYS_KEPT).fill(0);
      days[day - first] = Number(requests);
      earlier.set(name, days);
    }
    return earlier;
  }

  /** Deletes old rows, and sums up days that are over. Processes that do so at the same time have the same sums, of which one is written. */
  async tidy(today: number): Promise<void> {
    const { knex } = this.database;
    // A process may write to yesterday. A statement that it began before midnight then writes to the day before yesterday.
    const over = knex(TABLE)
      .where('day', '<', today - 2)
      .whereNot('process', ALL);
    const sums = over
      .clone()
      .select('used', 'day', knex.raw('?', [ALL]))
      .min(NAMES)
      .sum(COUNTS)
      .groupBy('used', 'day');
    const columns = COLUMNS.map(() => '??').join(', ');
    const into = knex.raw(`?? (${columns})`, [TABLE, ...COLUMNS]);
    const statements = [
      knex(TABLE)
        .where('day', '<', today - DAYS_KEPT)
        .delete(),
      // Knex leaves `ignore` out on SQLite, which only one process uses.
      knex.into(into).insert(sums).onConflict(KEY).ignore(),
      over.delete(),
    ];
    await this.database.runAll(statements.map(String));
  }
}

function define(table: Knex.CreateTableBuilder): void {
  // A hash, because a database may compare text without case, and limits the length of a key.
  table.string('used', 64).notNullable();
  table.integer('day').notNullable();
  table.string('process', 36).notNullable();
  table.string('kind', 16).notNullable();
  table.text('name').notNullable();
  table.text('plugin').notNullable();
  table.bigInteger('requests').notNullable();
  table.bigInteger('anonymous').notNullable();
  table.primary(KEY);
}
