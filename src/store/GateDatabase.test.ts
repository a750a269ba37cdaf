import knexFactory, { Knex } from 'knex';
import { readDocument } from '../__tests__/__testUtils__/documents';
import { FaultyProxy } from '../__tests__/__testUtils__/FaultyProxy';
import {
  TestDatabase,
  testDatabases,
} from '../__tests__/__testUtils__/testDatabases';
import { until } from '../__tests__/__testUtils__/until';
import type { GateDatabase } from './GateDatabase';

describe.each(testDatabases)('GateDatabase on %s', (kind, create) => {
  let database: TestDatabase;
  let knex: Knex;
  let gate: GateDatabase;

  beforeEach(async () => {
    database = await create();
    ({ knex } = database);
    gate = await database.openGate();
  });
  afterEach(() => database.remove());

  /** Runs a statement, and returns the code of its error. */
  const errorOf = (sql: string, on = gate) =>
    on
      .run(each => each.raw(sql))
      .then(
        () => 'none',
        error => error.code ?? error.name,
      );

  it('goes on after a statement that has failed', async () => {
    const [failed, next] = await Promise.all([
      errorOf('nonsense'),
      errorOf('select 1'),
    ]);
    expect(failed).not.toBe('none');
    expect(next).toBe('none');
  });

  if (kind === 'SQLite') {
    return;
  }

  /** Returns the sessions at the server that have run a statement with this mark. */
  const sessions = async (): Promise<{ state: string }[]> => {
    const { rows } = await knex.raw(
      "select state from pg_stat_activity where query like '%gate_mark%' and pid <> pg_backend_pid()",
    );
    return rows;
  };

  /** Watches the sessions while something runs, and returns the largest number of them. */
  async function mostDuring(running: Promise<unknown>): Promise<number> {
    let [most, isOver] = [0, false];
    running.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const active = (await sessions()).filter(
        ({ state }) => state === 'active',
      );
      most = Math.max(most, active.length);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    return most;
  }

  it('[P41] uses two connections of the plugin at a time, however many statements there are', async () => {
    const sleeping = Array.from({ length: 12 }, () =>
      errorOf('select pg_sleep(0.1) /* gate_mark */'),
    );
    expect(await mostDuring(Promise.all(sleeping))).toBe(2);
    expect(new Set(await Promise.all(sleeping))).toEqual(new Set(['none']));
  });

  it('runs a reading before the statements that wait', async () => {
    const ended: string[] = [];
    const run = (name: string, first = false) =>
      gate
        .run(each => each.raw('select pg_sleep(0.1)'), { first })
        .then(() => ended.push(name));
    await Promise.all([
      ...Array.from({ length: 12 }, () => run('sign-out')),
      run('reading', true),
    ]);
    expect(ended.indexOf('reading')).toBeLessThan(4);
  });

  it('[P41] has the server end a statement and a wait for a lock, and leaves the limits of the plugin as they are', async () => {
    const { rows } = await gate.run(each =>
      each.raw(
        "select name, setting::int from pg_settings where name in ('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout')",
      ),
    );
    const limits = Object.fromEntries(
      rows.map(({ name, setting }: any) => [name, String(setting / 1000)]),
    );
    const page = readDocument('docs/sign-out.md');
    expect([
      limits.lock_timeout,
      limits.statement_timeout,
      limits.idle_in_transaction_session_timeout,
    ]).toEqual(
      page.text
        .match(
          /lock ends after (\d+)\s+seconds, a statement after (\d+), and a transaction without a statement after (\d+)\./,
        )!
        .slice(1),
    );
    await knex.schema.createTable('locked', table => table.integer('id'));
    const holder = await knex.transaction();
    await holder.raw('lock table locked in access exclusive mode');
    // Lock not available, and query canceled.
    expect(await errorOf('select * from locked')).toBe('55P03');
    expect(await errorOf('select pg_sleep(30)')).toBe('57014');
    await holder.commit();
    expect(await errorOf('select * from locked')).toBe('none');
    const outside = await knex.raw('show lock_timeout');
    expect(outside.rows).toEqual([{ lock_timeout: '0' }]);
  }, 30_000);

  it.each(['silent', 'deaf'] as const)(
    '[P41] closes a connection that does not answer, and works at once when the database is back: the proxy is %s',
    async mode => {
      const { host, port } = new URL(process.env.API_GATE_TEST_POSTGRES!);
      const proxy = await FaultyProxy.start({
        host: host.split(':')[0],
        port: Number(port),
      });
      const client = knexFactory({
        client: 'pg',
        connection: { ...knex.client.config.connection, port: proxy.port },
      });
      const behind = await database.openGate({ as: client });
      expect(await errorOf('select 1', behind)).toBe('none');
      proxy.set(mode);
      const asked: Promise<string>[] = [];
      for (let i = 0; i < 12; i += 1) {
        asked.push(errorOf('select 1', behind));
        await new Promise(resolve => setTimeout(resolve, 1_000));
      }
      const errors = await Promise.all(asked);
      expect(errors).not.toContain('none');
      expect(errors[0]).toBe('KnexTimeoutError');
      proxy.set('through');
      await until(async () => (await errorOf('select 1', behind)) === 'none');
      await client.destroy();
      proxy.stop();
    },
    60_000,
  );
});
