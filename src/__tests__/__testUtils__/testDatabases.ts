import { randomBytes } from 'node:crypto';
import knexFactory, { Knex } from 'knex';
import { GateDatabase } from '../../store/GateDatabase';

/** A new, empty database for one test. */
export interface TestDatabase {
  knex: Knex;
  /** Opens another connection, of a role with fewer privileges. PostgreSQL only. */
  connect(user: string): Knex;
  /** Opens the gate's access, by default with the connection of the test. */
  openGate(options?: { as?: Knex; skip?: boolean }): Promise<GateDatabase>;
  /** Sets the clock of the database forward by a number of days, first before the gate's access is opened. */
  setClock(days: number): Promise<void>;
  remove(): Promise<void>;
}

const postgresUrl = process.env.API_GATE_TEST_POSTGRES;

/** The kinds of database that a test can use on this machine. `.ci/withPostgres.sh` provides PostgreSQL. */
export const testDatabases: [string, () => Promise<TestDatabase>][] = [
  ['SQLite', createSqlite],
  ...(postgresUrl
    ? [['PostgreSQL', createPostgres] as [string, () => Promise<TestDatabase>]]
    : []),
];

async function createSqlite(): Promise<TestDatabase> {
  const knex = knexFactory({
    client: 'better-sqlite3',
    connection: ':memory:',
    useNullAsDefault: true,
  });
  return {
    knex,
    connect: () => {
      throw new Error('SQLite has no roles');
    },
    ...gates(knex),
    async setClock(days) {
      const connection = await knex.client.acquireConnection();
      connection.function('julianday', (_time: string) => {
        const now = performance.timeOrigin + performance.now();
        return now / 86_400_000 + 2_440_587.5 + days;
      });
      await knex.client.releaseConnection(connection);
    },
    remove: () => knex.destroy(),
  };
}

async function createPostgres(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const opened: Knex[] = [];
  const open = (change: (url: URL) => void = () => {}) => {
    const url = new URL(postgresUrl!);
    change(url);
    const connected = knexFactory({ client: 'pg', connection: url.href });
    opened.push(connected);
    return connected;
  };
  const server = open();
  await server.raw('create database ??', [name]);
  const knex = open(url => {
    url.pathname = name;
  });
  return {
    knex,
    ...gates(knex),
    async setClock(days) {
      await server.raw(
        'alter database ?? set search_path = public, clock, pg_catalog',
        [name],
      );
      await knex.raw('create schema if not exists clock');
      // Sessions find this function before their own.
      await knex.raw(
        `create or replace function clock.clock_timestamp() returns timestamptz language sql
         as $$ select pg_catalog.clock_timestamp() + interval '${days} days' $$`,
      );
    },
    connect: user =>
      open(url => {
        url.pathname = name;
        url.username = user;
      }),
    remove: async () => {
      await Promise.all(opened.slice(1).map(each => each.destroy()));
      await server.raw('drop database ??', [name]);
      await server.destroy();
    },
  };
}

function gates(knex: Knex): Pick<TestDatabase, 'openGate'> {
  return {
    openGate: ({ as = knex, skip = false } = {}) =>
      GateDatabase.open({
        getClient: async () => as,
        migrations: { skip },
      }),
  };
}
