import type { Knex } from 'knex';
import { TestDatabase, testDatabases } from '../__testUtils__/testDatabases';
import { createRevocationTable } from './createRevocationTable';
import { DatabaseRevocationStore } from './DatabaseRevocationStore';

const exp = Math.floor(Date.now() / 1000) + 3600;
/** Returns a row as version 0.1.0 writes it. */
const oldRow = (id: string) => ({
  id,
  scope: 'session',
  sub: 'user:default/old',
  iat: exp - 3700,
  exp,
});

/** Creates the table as version 0.1.0 does. */
async function installOld(knex: Knex) {
  await knex.schema.createTable('api_gate_revocations', table => {
    table.string('id', 64).primary();
    table.string('scope', 16).notNullable();
    table.text('sub').notNullable();
    table.bigInteger('iat').notNullable();
    table.bigInteger('exp').notNullable().index();
  });
  for (const name of [
    'api_gate_knex_migrations',
    'api_gate_knex_migrations_lock',
  ]) {
    await knex.schema.createTable(name, table => {
      table.increments();
    });
  }
}

describe.each(testDatabases)('createRevocationTable on %s', (kind, create) => {
  let database: TestDatabase;
  let knex: Knex;
  let warnings: string[];
  const logger = {
    warn: (message: string) => warnings.push(message),
  } as never;
  const start = async (options: { skip?: boolean; as?: Knex } = {}) =>
    createRevocationTable(await database.openGate(options), logger);
  /** Expects that a store can read and write the table. */
  async function expectWorking(options: Parameters<typeof start>[0] = {}) {
    const store = await DatabaseRevocationStore.create(
      await database.openGate(options),
      logger,
    );
    const sub = 'user:default/new';
    const before = await store.read();
    await store.add({ scope: 'session', sub, iat: exp - 3700, exp });
    await store.add({ scope: 'user', sub, iat: exp - 3700, exp });
    const { revocations } = await store.read(before.cursor);
    expect(revocations.filter(each => each.sub === sub)).toHaveLength(2);
    return store;
  }

  beforeEach(async () => {
    warnings = [];
    database = await create();
    knex = database.knex;
  });
  afterEach(() => database.remove());

  it('creates it once, and then finds it', async () => {
    for (let i = 0; i < 2; i += 1) {
      expect((await start()).hasRecordedAt).toBe(true);
    }
    await expectWorking();
    expect(warnings).toEqual([]);
  });

  it('[P24] creates it for twenty replicas at once', async () => {
    const states = await Promise.all(Array.from({ length: 20 }, () => start()));
    expect(states.every(({ hasRecordedAt }) => hasRecordedAt)).toBe(true);
    await expectWorking();
  });

  it('[P24] creates it again, whichever tables of version 0.1.0 were dropped', async () => {
    const names = [
      'api_gate_revocations',
      'api_gate_knex_migrations',
      'api_gate_knex_migrations_lock',
    ];
    for (let dropped = 0; dropped < 8; dropped += 1) {
      for (const name of names) {
        await knex.schema.dropTableIfExists(name);
      }
      await installOld(knex);
      const gone = names.filter((_, i) => Math.floor(dropped / 2 ** i) % 2);
      for (const name of gone) {
        await knex.schema.dropTable(name);
      }
      expect([gone, (await start()).hasRecordedAt]).toEqual([gone, true]);
      await expectWorking();
    }
    expect(warnings).toEqual([]);
  });

  it('[P24] adds the column to a table of version 0.1.0, keeps its rows, and sees rows that version 0.1.0 adds', async () => {
    await installOld(knex);
    await knex('api_gate_revocations').insert(oldRow('before'));
    await Promise.all([start(), start()]);
    const store = await expectWorking();
    const before = await store.read();
    expect(before.revocations).toHaveLength(3);
    await knex('api_gate_revocations').insert({ ...oldRow('later'), sub: 'x' });
    const { revocations } = await store.read(before.cursor);
    expect(revocations.map(({ sub }) => sub)).toContain('x');
    expect(warnings).toEqual([]);
  });

  it('[P24] stops with the SQL that creates it where migrations are skipped', async () => {
    const { message } = await start({ skip: true }).catch(error => error);
    expect(message).toMatch(/^API gate: the table api_gate_revocations is not/);
    expect(message).toContain('skipMigrations is set in backend.database');
    expect(message).not.toContain('\n');
    await runSql(knex, message.split('Create it with: ')[1]);
    for (const skip of [true, false]) {
      expect((await start({ skip })).hasRecordedAt).toBe(true);
      await expectWorking({ skip });
    }
  });

  it('reads all of an older table where migrations are skipped, and warns once with the SQL', async () => {
    await installOld(knex);
    await knex('api_gate_revocations').insert(oldRow('before'));
    const store = await expectWorking({ skip: true });
    for (let i = 0; i < 2; i += 1) {
      const { cursor, revocations } = await store.read();
      expect([cursor, revocations.length]).toEqual([undefined, 3]);
    }
    expect(warnings).toEqual([
      expect.stringMatching(/^API gate reads the whole table[^\n]+$/),
    ]);
    await runSql(knex, warnings[0].split('with: ')[1]);
    expect((await start({ skip: true })).hasRecordedAt).toBe(true);
    expect((await store.read()).revocations).toHaveLength(3);
    expect(warnings).toHaveLength(1);
  });

  if (kind === 'PostgreSQL') {
    /** Creates a role that may use existing tables and may not change them. */
    const createRole = async () => {
      const name = `role_${Math.random().toString(36).slice(2)}`;
      await knex.raw('revoke create on schema public from public');
      await knex.raw('create role ?? login', [name]);
      await knex.raw(
        'grant select, insert, update, delete on all tables in schema public to ??',
        [name],
      );
      return database.connect(name);
    };

    it('[P24] works for a role that may not create tables, if it is there', async () => {
      await start();
      await expectWorking({ as: await createRole() });
      expect(warnings).toEqual([]);
    });

    it('stops with the SQL and the cause for such a role if it is not', async () => {
      const role = await createRole();
      const { message } = await start({ as: role }).catch(error => error);
      expect(message).toContain('permission denied for schema public');
      expect(message).not.toContain('\n');
      await runSql(knex, message.split('Create it with: ')[1]);
      expect((await start()).hasRecordedAt).toBe(true);
    });

    it('reads all of an older table for such a role, and warns with the SQL', async () => {
      await installOld(knex);
      const role = await createRole();
      await expectWorking({ as: role });
      expect(warnings).toEqual([
        expect.stringContaining('must be owner of table'),
      ]);
      await runSql(knex, warnings[0].split('with: ')[1]);
      await expectWorking({ as: role });
      expect(warnings).toHaveLength(1);
    });

    it('waits for nobody who holds the older table', async () => {
      await installOld(knex);
      const holder = await knex.transaction();
      await holder('api_gate_revocations').insert(oldRow('held'));
      expect((await start()).hasRecordedAt).toBe(false);
      await holder.commit();
      expect(warnings).toEqual([expect.stringContaining('lock timeout')]);
      expect((await start()).hasRecordedAt).toBe(true);
    }, 30_000);
  }
});

async function runSql(knex: Knex, sql: string) {
  for (const statement of sql.split(';').filter(Boolean)) {
    await knex.raw(statement);
  }
}
