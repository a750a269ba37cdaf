import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';

// Another replica may be changing the table at the same time.
const ATTEMPTS = 3;
const RETRY_MS = 300;

/**
 * Runs the statements that bring a table to its present form, where Backstage may change the database. Any number of replicas may
 * do so at the same time.
 *
 * @param form.inspect - returns `complete`, or what the statements have to start from
 * @returns `unfinished` if the table is not complete: the state that it is in, the reason, and the SQL that completes it
 */
export async function completeTable<State extends string>(
  database: Pick<DatabaseService, 'getClient' | 'migrations'>,
  form: {
    inspect(knex: Knex): Promise<State | 'complete'>;
    statementsFor(knex: Knex, state: State): string[];
  },
): Promise<{
  knex: Knex;
  unfinished?: { state: State; reason: string; sql: string };
}> {
  const knex = await database.getClient();
  let reason = 'skipMigrations is set in backend.database';
  for (let attempt = 0; ; attempt += 1) {
    const state = await form.inspect(knex);
    if (state === 'complete') {
      return { knex };
    }
    const statements = form.statementsFor(knex, state as State);
    if (database.migrations?.skip || attempt === ATTEMPTS) {
      const sql = `${statements.join('; ')};`;
      return { knex, unfinished: { state: state as State, reason, sql } };
    }
    try {
      await run(knex, statements);
    } catch (error) {
      reason = `the database refuses to change it (${causeOf(error)})`;
      await new Promise(resolve => {
        setTimeout(resolve, RETRY_MS * Math.random());
      });
    }
  }
}

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

export function statementsOf(schema: Knex.SchemaBuilder): string[] {
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
