import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import {
  completeTable,
  databaseTime,
  statementsOf,
} from '../util/completeTable';
import type { GateDatabase } from '../util/GateDatabase';
import { RevocationTable, TABLE } from './RevocationTable';

/**
 * Creates the table of revocations if it is missing, and adds the column `recorded_at` to a table of version 0.1.0. Any number of
 * replicas may do so at the same time. If the column can't be added, a warning holds the SQL that adds it.
 *
 * @throws Error if the table is missing and can't be created; the message holds the SQL that creates it
 */
export async function createRevocationTable(
  database: GateDatabase,
  logger: LoggerService,
): Promise<RevocationTable> {
  const { unfinished } = await completeTable(database, {
    inspect,
    statementsFor,
  });
  if (unfinished) {
    const { state, reason, sql } = unfinished;
    if (state === 'missing') {
      throw new Error(
        `API gate: the table ${TABLE} is not in the database of the auth plugin, and ${reason}. Create it with: ${sql}`,
      );
    }
    logger.warn(
      `API gate reads the whole table ${TABLE} each time, as it has no column recorded_at, and ${reason}. Add it, and restart, with: ${sql}`,
    );
  }
  return new RevocationTable(database, !unfinished);
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
