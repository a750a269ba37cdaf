import type { Knex } from 'knex';
import type { GateDatabase } from './GateDatabase';

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
  database: GateDatabase,
  form: {
    inspect(knex: Knex): Promise<State | 'complete'>;
    statementsFor(knex: Knex, state: State): string[];
  },
): Promise<{ unfinished?: { state: State; reason: string; sql: string } }> {
  const { knex } = database;
  let reason = 'skipMigrations is set in backend.database';
  for (let attempt = 0; ; attempt += 1) {
    const state = await form.inspect(knex);
    if (state === 'complete') {
      return {};
    }
    const statements = form.statementsFor(knex, state as State);
    if (database.skipMigrations || attempt === ATTEMPTS) {
      const sql = `${statements.join('; ')};`;
      return { unfinished: { state: state as State, reason, sql } };
    }
    try {
      await database.runAll(statements);
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

/** Reads the milliseconds since the epoch by the database's own clock. */
export async function readDatabaseTime(
  database: GateDatabase,
): Promise<number> {
  const [{ now }] = await database.run(knex =>
    knex.select({ now: knex.raw(databaseTime(knex)) }),
  );
  return Number(now);
}

export function statementsOf(schema: Knex.SchemaBuilder): string[] {
  return schema.toString().split(/;\s*\n/);
}

/** Returns the database's own message, without the statement that knex puts in front of it. */
function causeOf(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .split(' - ')
    .at(-1)!;
}
