import type { Knex } from 'knex';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import { DatabaseRevocationStore } from './DatabaseRevocationStore';
import { RevocationTable } from './RevocationTable';

const exp = Math.floor(Date.now() / 1000) + 3600;
describe.each(testDatabases)('RevocationTable on %s', (kind, create) => {
  let database: TestDatabase;
  let knex: Knex;
  const start = async (options: { skip?: boolean; as?: Knex } = {}) =>
    RevocationTable.create(await database.openGate(options));
  /** Returns the error of a start, without the SQL, and the SQL. */
  async function failToStart(options: Parameters<typeof start>[0] = {}) {
    const { message } = await start(options).catch(error => error);
    expect(message).not.toContain('\n');
    return message.split(/[Cc]reate it with: /);
  }
  /** Expects that a store can read and write the table. */
  async function expectWorking(options: Parameters<typeof start>[0] = {}) {
    const store = await DatabaseRevocationStore.create(
      await database.openGate(options),
    );
    const sub = 'user:default/new';
    const before = await store.read();
    await store.add({ scope: 'session', sub, iat: exp - 3700, exp });
    await store.add({ scope: 'user', sub, iat: exp - 3700, exp });
    const { revocations } = await store.read(before.cursor);
    expect(revocations.filter(each => each.sub === sub)).toHaveLength(2);
  }

  beforeEach(async () => {
    database = await create();
    knex = database.knex;
  });
  afterEach(() => database.remove());

  it('creates it once, and then finds it', async () => {
    await start();
    await expectWorking();
  });

  it('[P24] creates it for twenty replicas at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => start()));
    await expectWorking();
  });

  it('[P24] stops with the SQL that creates it where migrations are skipped', async () => {
    const [problem, sql] = await failToStart({ skip: true });
    expect(problem).toMatch(/^The table api_gate_revocations is not in/);
    expect(problem).toContain('skipMigrations is set in backend.database');
    await runSql(knex, sql);
    for (const skip of [true, false]) {
      await expectWorking({ skip });
    }
  });

  it('[P24] stops with the SQL that creates it in place of one that lacks columns', async () => {
    await knex.schema.createTable('api_gate_revocations', table => {
      ['id', 'scope', 'sub', 'exp'].forEach(name => table.text(name));
    });
    const [problem, sql] = await failToStart();
    expect(problem).toMatch(/lacks: iat, recorded_at. Drop it, and /);
    await knex.schema.dropTable('api_gate_revocations');
    await runSql(knex, sql);
    await expectWorking();
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
    });

    it('stops with the SQL and the cause for such a role if it is not', async () => {
      const [problem, sql] = await failToStart({ as: await createRole() });
      expect(problem).toContain('permission denied for schema public');
      await runSql(knex, sql);
      await expectWorking();
    });
  }
});

async function runSql(knex: Knex, sql: string) {
  for (const statement of sql.split(';').filter(Boolean)) {
    await knex.raw(statement);
  }
}
