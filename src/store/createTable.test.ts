import { testDatabases } from '../__tests__/__testUtils__/testDatabases';
import { createTable, databaseTime } from './createTable';

const table = {
  name: 'things',
  columns: ['id'],
  define: (builder: any) => builder.text('id'),
};

describe.each(testDatabases)('createTable on %s', (_, create) => {
  let database: Awaited<ReturnType<typeof create>>;
  beforeEach(async () => {
    database = await create();
  });
  afterEach(() => database.remove());

  it('stops after three tries that the database refuses, with its reason and the SQL', async () => {
    const gate = await database.openGate();
    let tries = 0;
    jest.spyOn(gate, 'run').mockImplementation(async statement => {
      const text = String(statement(gate.knex));
      if (!text.startsWith('create table')) {
        return {};
      }
      tries += 1;
      throw new Error('create table - a - permission denied');
    });
    await expect(createTable(gate, table)).rejects.toThrow(
      /^The table things is not in the database of the auth plugin, and the database refuses to create it \(permission denied\)\. Create it with: create table .*;$/,
    );
    expect(tries).toBe(3);
  });

  it('has the time of the database', async () => {
    const gate = await database.openGate();
    const [{ now }] = await gate.run(knex =>
      knex.select({ now: knex.raw(databaseTime(knex)) }),
    );
    expect(Math.abs(Number(now) - Date.now())).toBeLessThan(5_000);
  });
});

it.each([
  // `now()` of PostgreSQL is the start of the transaction.
  ['postgresql', 'clock_timestamp()'],
  ['mysql', 'now(3)'],
])('asks %s for the current time', (dialect, sql) => {
  expect(databaseTime({ client: { dialect } } as never)).toContain(sql);
});
