import { randomBytes } from 'node:crypto';
import knexFactory, { Knex } from 'knex';
import { DatabaseConnections } from '../util/DatabaseConnections';

/** A new, empty database for one test. */
export interface TestDatabase {
  knex: Knex;
  /** Opens another connection, of a role with fewer privileges. PostgreSQL only. */
  connect(user: string): Knex;
  /** Opens the gate's access, by default with the connection of the test. */
  openGate(options?: {
    as?: Knex;
    skip?: boolean;
  }): Promise<DatabaseConnections>;
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
  const { openGate, closeGates } = gates(knex);
  return {
    knex,
    openGate,
    connect: user =>
      open(url => {
        url.pathname = name;
        url.username = user;
      }),
    remove: async () => {
      await closeGates();
      await Promise.all(opened.slice(1).map(each => each.destroy()));
      await server.raw('drop database ??', [name]);
      await server.destroy();
    },
  };
}

function gates(knex: Knex) {
  const opened: DatabaseConnections[] = [];
  return {
    openGate: async ({ as = knex, skip = false } = {}) => {
      const gate = await DatabaseConnections.open(
        { getClient: async () => as, migrations: { skip } },
        { info: () => {} } as never,
      );
      opened.push(gate);
      return gate;
    },
    closeGates: () => Promise.all(opened.map(gate => gate.close())),
  };
}
