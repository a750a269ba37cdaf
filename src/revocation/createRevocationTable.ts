import type {
  DatabaseService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';

export const TABLE = 'api_gate_revocations';

// Another replica may be changing the table at the same time.
const ATTEMPTS = 3;
const RETRY_MS = 300;

/** Returns the SQL for the milliseconds since the epoch by the database's own clock. */
export function databaseTime({ client: { dialect } }: Knex): string {
  switch (dialect) {
    case 'postgresql':
      // `clock_timestamp()` is the current time; `now()` is the start of the transaction.
      return '(extract(epoch from clock_timestamp()) * 1000)::bigint';
    case 'mysql':
      return 'cast(unix_timestamp(now(3)) * 1000 as signed)';
    default:
      return "cast((julianday('now') - 2440587.5) * 86400000 as integer)";
  }
}

/**
 * Creates the table of revocations if it is missing, and adds the column `recorded_at` to a table of version 0.1.0. Any number of
 * replicas may do so at the same time.
 *
 * @returns whether the table has that column. If the column can't be added, a warning holds the SQL that adds it.
 * @throws Error if the table is missing and can't be created; the message holds the SQL that creates it
 */
export async function createRevocationTable(
  database: Pick<DatabaseService, 'getClient' | 'migrations'>,
  logger: LoggerService,
): Promise<{ knex: Knex; hasRecordedAt: boolean }> {
  const knex = await database.getClient();
  let state = await inspect(knex);
  let reason = 'skipMigrations is set in backend.database';
  for (
    let attempt = 1;
    state !== 'complete' && !database.migrations?.skip && attempt <= ATTEMPTS;
    attempt += 1
  ) {
    try {
      await run(knex, statementsFor(knex, state));
    } catch (error) {
      reason = `the database refuses to change it (${causeOf(error)})`;
      await new Promise(resolve => {
        setTimeout(resolve, RETRY_MS * Math.random());
      });
    }
    state = await inspect(knex);
  }
  if (state !== 'complete') {
    const sql = `${statementsFor(knex, state).join('; ')};`;
    if (state === 'missing') {
      throw new Error(
        `API gate: the table ${TABLE} is not in the database of the auth plugin, and ${reason}. Create it with: ${sql}`,
      );
    }
    logger.warn(
      `API gate reads the whole table ${TABLE} each time, as it has no column recorded_at, and ${reason}. Add it, and restart, with: ${sql}`,
    );
  }
  return { knex, hasRecordedAt: state === 'complete' };
}

async function inspect(knex: Knex): Promise<'missing' | 'older' | 'complete'> {
  if (!(await knex.schema.hasTable(TABLE))) {
    return 'missing';
  }
  return (await knex.schema.hasColumn(TABLE, 'recorded_at'))
    ? 'complete'
    : 'older';
}

function statementsFor(knex: Knex, state: 'missing' | 'older'): string[] {
  const addRecordedAt = (table: Knex.CreateTableBuilder) =>
    table
      .bigInteger('recorded_at')
      .notNullable()
      .defaultTo(knex.raw(`(${databaseTime(knex)})`))
      .index();
  const creation = statementsOf(
    knex.schema.createTable(TABLE, table => {
      table.string('id', 64).primary();
      table.string('scope', 16).notNullable();
      table.text('sub').notNullable();
      table.bigInteger('iat').notNullable();
      table.bigInteger('exp').notNullable().index();
      addRecordedAt(table);
    }),
  );
  if (state === 'missing') {
    return creation;
  }
  if (knex.client.dialect === 'sqlite3') {
    // SQLite can't add a column whose default is an expression.
    const columns = 'id, scope, sub, iat, exp';
    return [
      `alter table ${TABLE} rename to ${TABLE}_older`,
      `drop index if exists ${TABLE}_exp_index`,
      ...creation,
      `insert into ${TABLE} (${columns}) select ${columns} from ${TABLE}_older`,
      `drop table ${TABLE}_older`,
    ];
  }
  return statementsOf(knex.schema.alterTable(TABLE, addRecordedAt));
}

function statementsOf(schema: Knex.SchemaBuilder): string[] {
  return schema.toString().split(/;\s*\n/);
}

/** Runs all statements or none, where the database can roll back changes of tables. */
async function run(knex: Knex, statements: string[]): Promise<void> {
  await knex.transaction(async trx => {
    if (knex.client.dialect === 'postgresql') {
      // While the change waits for a lock, every reader waits behind it.
      await trx.raw("set local lock_timeout = '2s'");
    }
    for (const statement of statements) {
      await trx.raw(statement);
    }
  });
}

/** Returns the database's own message, without the statement that knex puts in front of it. */
function causeOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .split(' - ')
    .at(-1)!;
}
