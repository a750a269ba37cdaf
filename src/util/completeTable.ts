import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';

// Another replica may be changing the table at the same time.
const ATTEMPTS = 3;
const RETRY_MS = 300;

/** How a table is brought to its present form. */
export interface TableForm<State extends string> {
  /** Returns `complete`, or what the statements have to start from. */
  inspect(knex: Knex): Promise<State | 'complete'>;
  statementsFor(knex: Knex, state: State): string[];
}

/** The connection to the database, and what could not be done there. */
export interface CompletedTable<State extends string> {
  knex: Knex;
  /** The state that the table is in, the reason, and the SQL that completes it. */
  unfinished?: { state: State; reason: string; sql: string };
}

/**
 * Runs the statements that bring a table to its present form, where Backstage may change the database. Any number of replicas may
 * do so at the same time.
 */
export async function completeTable<State extends string>(
  database: Pick<DatabaseService, 'getClient' | 'migrations'>,
  { inspect, statementsFor }: TableForm<State>,
): Promise<CompletedTable<State>> {
  const knex = await database.getClient();
  let state = await inspect(knex);
  let reason = 'skipMigrations is set in backend.database';
  for (
    let attempt = 1;
    state !== 'complete' && !database.migrations?.skip && attempt <= ATTEMPTS;
    attempt += 1
  ) {
    try {
      await run(knex, statementsFor(knex, state as State));
    } catch (error) {
      reason = `the database refuses to change it (${causeOf(error)})`;
      await new Promise(resolve => {
        setTimeout(resolve, RETRY_MS * Math.random());
      });
    }
    state = await inspect(knex);
  }
  if (state === 'complete') {
    return { knex };
  }
  const sql = `${statementsFor(knex, state as State).join('; ')};`;
  return { knex, unfinished: { state: state as State, reason, sql } };
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
