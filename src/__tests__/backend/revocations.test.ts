import { isEqual } from 'lodash';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knexFactory, { Knex } from 'knex';
import { blocksAfter, codeIn, tableRows } from '../__testUtils__/documents';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, claimsOf, REVOCATIONS } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import { until } from '../__testUtils__/until';

const TABLE = 'api_gate_revocations';
const GUEST = 'user:development/guest';
const [JANE, JOE, EVE] = ['jane', 'joe', 'eve'].map(
  name => `user:default/${name}`,
);

jest.mock('../../store/revocations/pollInterval', () => ({
  POLL_INTERVAL_MS: 200,
}));

const backends = signedBackends();
afterEach(backends.stopAll);

/** A database that outlives a backend, with the test's own connection to the database of the `auth` plugin. */
interface Database {
  config: JsonObject;
  open(): Knex;
}

function createSqlite(): Database {
  const directory = temporaryFolder();
  return {
    config: { client: 'better-sqlite3', connection: { directory } },
    open: () =>
      knexFactory({
        client: 'better-sqlite3',
        connection: { filename: path.join(directory, 'auth.sqlite') },
        useNullAsDefault: true,
      }),
  };
}

const postgresUrl = process.env.API_GATE_TEST_POSTGRES;

function createPostgres(): Database {
  const prefix = `test_${randomBytes(6).toString('hex')}_`;
  return {
    config: { client: 'pg', connection: postgresUrl!, prefix },
    open: () => {
      const url = new URL(postgresUrl!);
      url.pathname = `${prefix}auth`;
      return knexFactory({ client: 'pg', connection: url.href });
    },
  };
}

/** Creates one database for all plugins, each of which has its own schema. */
function createSchemas(): Database {
  const schemaPrefix = `test_${randomBytes(6).toString('hex')}_`;
  return {
    config: {
      client: 'pg',
      connection: postgresUrl!,
      pluginDivisionMode: 'schema',
      schemaPrefix,
    },
    open: () =>
      knexFactory({
        client: 'pg',
        connection: postgresUrl!,
        searchPath: [`${schemaPrefix}auth`],
      }),
  };
}

const databases: [string, () => Database][] = [
  ['SQLite', createSqlite],
  ...(postgresUrl
    ? ([
        ['PostgreSQL', createPostgres],
        ['PostgreSQL with a schema for each plugin', createSchemas],
      ] as [string, () => Database][])
    : []),
];

describe.each(databases)(
  'the table of revoked sessions, on %s',
  (_, create) => {
    let database: Database;
    beforeEach(() => {
      database = create();
    });

    async function start(
      options: { withGate?: boolean; config?: JsonObject } = {},
    ) {
      const hello = recordingPlugin('hello');
      const backend = await backends.start({
        withGate: options.withGate,
        apiGate: { operators: [GUEST] },
        features: [hello.feature],
        config: {
          backend: { database: { ...database.config, ...options.config } },
        },
      });
      const service = await hello.tokenFor('auth');
      return {
        ...backend,
        service,
        statusOf: (token: string) =>
          backend.statusOf('/api/hello/x', bearer(token)),
        /** Returns the status for a session, whose token another backend may have issued. */
        statusOfSession: async (token: string) => {
          const iss = `${backend.url}/api/auth`;
          const again = await backends.key.sign({ ...claimsOf(token), iss });
          return backend.statusOf('/api/hello/x', bearer(again));
        },
        revoke: async (userEntityRef: string) =>
          (await backend.post(REVOCATIONS, service, { userEntityRef })).status,
        read: async (query = '') => {
          const target = `${REVOCATIONS}${query}`;
          return JSON.parse((await backend.get(target, bearer(service))).body);
        },
      };
    }

    /** Runs a function with the database of the `auth` plugin while no backend runs. */
    async function withDatabase<T>(
      work: (knex: Knex) => Promise<T>,
    ): Promise<T> {
      const knex = database.open();
      try {
        return await work(knex);
      } finally {
        await knex.destroy();
      }
    }

    async function expectWorking() {
      const backend = await start();
      // The user differs each time: tokens of one second are one session.
      const sub = `user:default/${randomBytes(4).toString('hex')}`;
      const token = await backend.sign({ sub });
      expect(await backend.statusOf(token)).toBe(200);
      expect(await backend.revoke(sub)).toBe(201);
      expect(await backend.statusOf(token)).toBe(401);
      await backend.stop();
      return token;
    }

    it('[P24] may be dropped', async () => {
      await expectWorking();
      const [tables] = tableRows('docs/switch-off.md', ['What', 'Where']).map(
        ([what]) => codeIn(what),
      );
      expect(tables).toContain(TABLE);
      await withDatabase(async knex => {
        for (const table of tables) {
          await knex.schema.dropTable(table);
        }
      });
      await expectWorking();
    });

    it('is all that the gate leaves in the database', async () => {
      const tables = () =>
        withDatabase(async knex => {
          const rows = await knex
            .select('name')
            .from(
              knex.client.dialect === 'sqlite3'
                ? knex.raw("sqlite_master where type = 'table'")
                : knex.raw(
                    '(select table_name as name from information_schema.tables where table_schema = current_schema()) as t',
                  ),
            )
            .orderBy('name');
          return rows.map(({ name }) => name);
        });
      await (await start({ withGate: false })).stop();
      const without = await tables();
      await (await start()).stop();
      expect((await tables()).filter(name => !without.includes(name))).toEqual([
        TABLE,
      ]);
    });

    it('keeps a sign-out over a restart', async () => {
      const revoked = await expectWorking();
      for (let i = 0; i < 2; i += 1) {
        const backend = await start();
        expect(await backend.statusOfSession(revoked)).toBe(401);
        await backend.stop();
      }
    });

    it('[P24] stops the start with the SQL that creates it where migrations are skipped, and works once that has run', async () => {
      await (await start({ withGate: false })).stop();
      const config = { skipMigrations: true };
      const failure = await start({ config }).then(
        () => {
          throw new Error('It has started');
        },
        error => error,
      );
      // Backstage puts the name of the module in front of the message.
      const message: string = [failure, failure.cause]
        .map(String)
        .find(text => text.includes('Create it with: '))!;
      const sql = message.split('Create it with: ')[1].split('\n')[0];
      await withDatabase(async knex => {
        for (const statement of sql.split(';').filter(text => text.trim())) {
          await knex.raw(statement);
        }
      });
      const backend = await start({ config });
      const token = await backend.sign({ sub: JANE });
      expect(await backend.revoke(JANE)).toBe(201);
      expect(await backend.statusOf(token)).toBe(401);
      await backend.stop();
      await expectWorking();
    });

    describe('after a restore', () => {
      const wait = (ms: number) => new Promise(r => setTimeout(r, ms));
      const readRows = (knex: Knex) => knex(TABLE).select();

      /** Replaces the rows by those of a backup, while a backend runs and can't read the table for a while. */
      const restore = (rows: object[]) =>
        withDatabase(async knex => {
          await knex.schema.renameTable(TABLE, 'away');
          // More than three polls.
          await wait(7_000);
          await knex('away').delete();
          await knex('away').insert(rows);
          await knex.schema.renameTable('away', TABLE);
        });

      it('[P105] refuses at a replica that runs on what it refused before, and at one that starts what is sent again', async () => {
        const ran = await start();
        const operator = await ran.guest();
        expect(await ran.revoke(EVE)).toBe(201);
        const backup = await withDatabase(readRows);
        const [jane, joe] = [
          await ran.sign({ sub: JANE }),
          await ran.sign({ sub: JOE }),
        ];
        const until24 = new Date(Date.now() + 86_400_000).toISOString();
        const eves = { userEntityRef: EVE, until: until24 };
        expect((await ran.post(REVOCATIONS, operator, eves)).status).toBe(201);
        expect((await ran.signOut(bearer(jane))).status).toBeLessThan(300);
        expect(await ran.revoke(JOE)).toBe(201);
        /** Returns the statuses for the sessions of Jane and Joe, and for a new one of Eve. */
        const statusesAt = async (backend: typeof ran) =>
          Promise.all([
            ...[jane, joe].map(backend.statusOfSession),
            backend.statusOf(await backend.sign({ sub: EVE })),
          ]);
        const refused = [401, 401, 401];
        expect(await statusesAt(ran)).toEqual(refused);

        await restore(backup);
        const started = await start();
        expect(await statusesAt(started)).toEqual([200, 200, 200]);
        expect(await statusesAt(ran)).toEqual(refused);
        // The page names these users.
        for (const user of [JANE, JOE]) {
          expect(await ran.revoke(user)).toBe(201);
        }
        expect((await ran.post(REVOCATIONS, operator, eves)).status).toBe(201);
        await until(async () => isEqual(await statusesAt(started), refused));
        expect(await statusesAt(await start())).toEqual(refused);
      });

      it('is emptied on purpose by the statement of the page while no backend runs', async () => {
        const revoked = await expectWorking();
        const [sql] = blocksAfter(
          'docs/switch-off.md',
          'If the list is at fault',
          'sql',
        );
        await withDatabase(knex => knex.raw(sql));
        const backend = await start();
        expect(await backend.statusOfSession(revoked)).toBe(200);
      });
    });
  },
);
