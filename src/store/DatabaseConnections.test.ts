import { execFileSync } from 'node:child_process';
import knexFactory, { Knex } from 'knex';
import { tableRows } from '../__tests__/__testUtils__/documents';
import { FaultyProxy } from '../__tests__/__testUtils__/FaultyProxy';
import {
  TestDatabase,
  testDatabases,
} from '../__tests__/__testUtils__/testDatabases';
import { until } from '../__tests__/__testUtils__/until';
import { createTable } from './createTable';
import type { DatabaseConnections } from './DatabaseConnections';

describe.each(testDatabases)('DatabaseConnections on %s', (kind, create) => {
  let database: TestDatabase;
  let knex: Knex;
  let gate: DatabaseConnections;

  beforeEach(async () => {
    database = await create();
    ({ knex } = database);
    gate = await database.openGate();
  });
  afterEach(() => database.remove());

  if (kind === 'SQLite') {
    it("uses the plugin's connection, and leaves it open", async () => {
      expect(gate.knex).toBe(knex);
      await gate.close();
      expect(await knex.select({ one: 1 })).toEqual([{ one: 1 }]);
    });
    return;
  }

  /** Returns the sessions of the gate at the server. */
  async function sessions(): Promise<{ state: string }[]> {
    const { rows } = await knex.raw(
      "select * from pg_stat_activity where application_name = 'backstage_api_gate' and datname = current_database()",
    );
    return rows;
  }

  /** Watches the sessions while something runs, and returns the largest number of them. */
  async function mostDuring(running: Promise<unknown>): Promise<number> {
    let [most, isOver] = [0, false];
    running.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      most = Math.max(most, (await sessions()).length);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    return most;
  }

  /** Runs a statement, and returns the code of its error. */
  const errorOf = (sql: string, on = gate) =>
    on
      .run(each => each.raw(sql))
      .then(
        () => 'none',
        error => error.code ?? error.name,
      );

  it('[P41] has two connections, however many statements there are, and none once it is closed', async () => {
    const sleeping = Array.from({ length: 8 }, () =>
      errorOf('select pg_sleep(0.2)'),
    );
    expect(await mostDuring(Promise.all(sleeping))).toBe(2);
    await gate.close();
    await until(async () => (await sessions()).length === 0);
  });

  it('[P41] runs a statement again if the server had ended the idle session while this process was busy', async () => {
    const values = () =>
      Promise.all(
        [1, 2].map(value =>
          gate.run(each =>
            each.raw('select ?::int as value, pg_sleep(0.1)', [value]),
          ),
        ),
      );
    await values();
    expect(await sessions()).toHaveLength(2);
    execFileSync('sleep', ['7']);
    expect((await values()).map(({ rows }: any) => rows[0].value)).toEqual([
      1, 2,
    ]);
  }, 30_000);

  it('[P41] has the server end a statement, a wait for a lock and a transaction, so that nothing is left behind', async () => {
    const isIdle = async () =>
      (await sessions()).every(({ state }) => state === 'idle');
    await knex.schema.createTable('locked', table => table.integer('id'));
    const holder = await knex.transaction();
    await holder.raw('lock table locked in access exclusive mode');
    const startedAt = performance.now();
    const errors = Promise.all([
      errorOf('select * from locked'),
      errorOf('select pg_sleep(30)'),
    ]);
    await until(async () => (await sessions()).length === 2);
    // Lock not available, and query canceled.
    expect(await errors).toEqual(['55P03', '57014']);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    // The server sends an error before it is done with the statement.
    await until(isIdle);
    await holder.commit();
    expect(await errorOf('select * from locked')).toBe('none');
    const transaction = await gate.knex.transaction();
    await transaction.raw('select 1');
    await until(isIdle);
    await transaction.rollback().catch(() => {});
  }, 30_000);

  /** Opens the gate's access over another connection, and with `isPooled` as behind a pooler that refuses its limits. */
  async function openBehind(
    connection: object,
    isPooled: boolean,
    role?: string,
  ) {
    let connections = 0;
    const client = knexFactory({
      client: 'pg',
      connection: async () => {
        connections += 1;
        if (connections === 2 && isPooled) {
          throw new Error('unsupported startup parameter');
        }
        return { ...connection };
      },
    });
    if (role) {
      client.client.pool.on('createSuccess', (_id: number, session: any) =>
        session.query(`set role ${role}`),
      );
    }
    return { client, behind: await database.openGate({ as: client }) };
  }

  /** Opens the gate's access through a proxy. */
  async function openBehindProxy(isPooled: boolean) {
    const { host, port } = new URL(process.env.API_GATE_TEST_POSTGRES!);
    const proxy = await FaultyProxy.start({
      host: host.split(':')[0],
      port: Number(port),
    });
    const { connection } = knex.client.config;
    const through = { ...connection, port: proxy.port };
    return { proxy, ...(await openBehind(through, isPooled)) };
  }

  it('[P41] replaces the limits of the connections of the plugin', async () => {
    const client = knexFactory({
      client: 'pg',
      connection: {
        ...knex.client.config.connection,
        statement_timeout: 60_000,
        lock_timeout: 60_000,
        idle_in_transaction_session_timeout: 60_000,
      },
    });
    const own = await database.openGate({ as: client });
    const { rows } = await own.run(each =>
      each.raw(
        "select name, setting::int from pg_settings where name in ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')",
      ),
    );
    const limits = Object.fromEntries(
      rows.map(({ name, setting }: any) => [name, `${setting / 1000} s`]),
    );
    expect([
      limits.lock_timeout,
      limits.statement_timeout,
      limits.idle_in_transaction_session_timeout,
      limits.idle_session_timeout,
    ]).toEqual(
      tableRows('docs/sign-out.md', ['What', 'Ends after']).map(
        ([, endsAfter]) => endsAfter,
      ),
    );
    await client.destroy();
  });

  it('[P41] sets the limits with each statement where a connection can not keep them', async () => {
    const { connection } = knex.client.config;
    const { client, behind } = await openBehind(connection, true);
    expect(await errorOf('select pg_sleep(30)', behind)).toBe('57014');
    expect(await errorOf('select nonsense', behind)).toBe('42703');
    const { rows } = await behind.run(each =>
      each.raw("select current_setting('lock_timeout') as limit"),
    );
    expect(rows).toEqual([{ limit: '2s' }]);
    const outside = await behind.knex.raw('show lock_timeout');
    expect(outside.rows).toEqual([{ lock_timeout: '0' }]);
    await client.destroy();
  }, 30_000);

  it('creates a table, and then finds it, where a connection can not keep the limits', async () => {
    const { connection } = knex.client.config;
    const { client, behind } = await openBehind(connection, true);
    const define = (table: Knex.CreateTableBuilder) => table.text('id');
    for (let i = 0; i < 2; i += 1) {
      await createTable(behind, { name: 'things', columns: ['id'], define });
    }
    expect(await knex('things').columnInfo()).toHaveProperty('id');
    await client.destroy();
  });

  it('[P41] leaves no connection behind that can not take the role of the plugin any more', async () => {
    await knex.raw('create role gate_lost');
    const { connection } = knex.client.config;
    const { client, behind } = await openBehind(connection, true, 'gate_lost');
    await until(async () => (await sessions()).length === 0);
    await knex.raw('drop role gate_lost');
    for (let i = 0; i < 3; i += 1) {
      expect(await errorOf('select 1', behind)).toBe('22023');
    }
    await until(async () => (await sessions()).length === 0);
    await client.destroy();
  }, 30_000);

  it('[P41] waits for no answer of a silent database for ever, outside of its own statements either', async () => {
    const { client, behind, proxy } = await openBehindProxy(false);
    await behind.run(each => each.raw('select 1'));
    proxy.set('silent');
    await expect(behind.knex.schema.hasTable('any')).rejects.toThrow();
    await client.destroy();
    proxy.stop();
  }, 60_000);

  it.each([
    ['silent', false],
    ['deaf', false],
    ['silent', true],
  ] as const)(
    '[P41] opens no further connection while the server may hold one that was given up: the proxy is %s, behind a pooler: %j',
    async (mode, isPooled) => {
      await gate.close();
      const { client, behind, proxy } = await openBehindProxy(isPooled);
      await Promise.all([
        errorOf('select pg_sleep(0.1)', behind),
        errorOf('select pg_sleep(0.1)', behind),
      ]);
      proxy.set(mode);
      const ask = async () => {
        const asked = [];
        for (let i = 0; i < 22; i += 1) {
          asked.push(errorOf('select 1', behind));
          await new Promise(resolve => setTimeout(resolve, 1_000));
        }
        return Promise.all(asked);
      };
      const asking = ask();
      expect(await mostDuring(asking)).toBe(2);
      expect((await sessions()).length).toBeLessThanOrEqual(2);
      expect(new Set(await asking)).toEqual(new Set(['KnexTimeoutError']));
      proxy.set('through');
      await until(async () => (await errorOf('select 1', behind)) === 'none');
      await client.destroy();
      proxy.stop();
    },
    60_000,
  );

  it('connects as the plugin does: with its role, its schema, its options and its dynamic credentials', async () => {
    await knex.raw('create role gate_role');
    await knex.raw('create schema auth');
    const { connection } = knex.client.config;
    const client = knexFactory({
      client: 'pg',
      searchPath: ['auth'],
      connection: async () => ({
        ...connection,
        password: 'secret',
        options: '-c work_mem=5MB',
      }),
    });
    client.client.pool.on('createSuccess', (_id: number, session: any) =>
      session.query('set role gate_role'),
    );
    const own = await database.openGate({ as: client });
    const [row] = (
      await own.run(each =>
        each.raw(
          "select current_user as role, current_setting('search_path') as schema, current_setting('work_mem') as option, current_setting('lock_timeout') as limit",
        ),
      )
    ).rows;
    expect(row).toEqual({
      role: 'gate_role',
      schema: 'auth',
      option: '5MB',
      limit: '2s',
    });
    expect(own.knex.client.connectionSettings.password).toBe('secret');
    await client.destroy();
    await own.close();
    await knex.raw('drop role gate_role');
  });
});
