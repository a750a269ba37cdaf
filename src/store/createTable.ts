import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { Knex } from 'knex';
import type { GateDatabase } from './GateDatabase';

// Another replica may be creating the table at the same time.
const ATTEMPTS = 3;
const RETRY_MS = 300;

/**
 * Creates a table if it is missing, where Backstage may change the database. Any number of replicas may do so at the same time.
 *
 * @throws Error if the table is missing and can't be created, or lacks a column; the message holds the SQL that creates it
 */
export async function createTable(
  database: GateDatabase,
  options: {
    name: string;
    /** The columns that the gate reads or writes. */
    columns: string[];
    define(table: Knex.CreateTableBuilder): void;
  },
): Promise<void> {
  const { name, columns, define } = options;
  const { client, schema } = database.knex;
  const creation = schema.createTable(name, define).toString();
  const statements = creation.split(/;\s*\n/);
  const sql = `${statements.join('; ')};`;
  // PostgreSQL runs all statements of one message, or none. The others take one statement at a time.
  const messages = client.dialect === 'postgresql' ? [sql] : statements;
  let reason = 'skipMigrations is set in backend.database';
  for (let attempt = 0; ; attempt += 1) {
    const columnInfo = await database.run<object>(
      // Its type is that of a promise, but it is a statement like others.
      knex => knex.from(name).columnInfo() as never,
    );
    const found = Object.keys(columnInfo);
    const lacking = columns.filter(column => !found.includes(column));
    if (lacking.length === 0) {
      return;
    }
    if (found.length > 0) {
      throw new Error(
        `The table ${name} in the database of the auth plugin lacks: ${lacking.join(', ')}. Drop it, and create it with: ${sql}`,
      );
    }
    if (database.skipMigrations || attempt === ATTEMPTS) {
      throw new Error(
        `The table ${name} is not in the database of the auth plugin, and ${reason}. Create it with: ${sql}`,
      );
    }
    try {
      for (const message of messages) {
        await database.run(knex => knex.raw(message));
      }
    } catch (error) {
      // Knex puts the statement in front of the database's own message.
      const [cause] = String((error as Error).message)
        .split(' - ')
        .slice(-1);
      reason = `the database refuses to create it (${cause})`;
      await wait(RETRY_MS * Math.random());
    }
  }
}

/** Returns the key of a row: a hash, because a database may compare text without case, and limits the length of a key. */
export function hashKey(text: string): string {
  return createHash('sha256').update(text).digest('hex');
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
