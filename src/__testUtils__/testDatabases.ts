import { randomBytes } from 'node:crypto';
import knexFactory, { Knex } from 'knex';

/** A new, empty database for one test. */
export interface TestDatabase {
  knex: Knex;
  /** Opens another connection, of a role with fewer privileges. PostgreSQL only. */
  connect(user: string): Knex;
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
    remove: () => knex.destroy(),
  };
}

async function createPostgres(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const opened: Knex[] = [];
  const open = (change: (url: URL) => void = () => {}) => {
    const url = new URL(postgresUrl!);
    change(url);
    const knex = knexFactory({ client: 'pg', connection: url.href });
    opened.push(knex);
    return knex;
  };
  const server = open();
  await server.raw('create database ??', [name]);
  return {
    knex: open(url => {
      url.pathname = name;
    }),
    connect: user =>
      open(url => {
        url.pathname = name;
        url.username = user;
      }),
    remove: async () => {
      await Promise.all(opened.slice(1).map(knex => knex.destroy()));
      await server.raw('drop database ??', [name]);
      await server.destroy();
    },
  };
}
