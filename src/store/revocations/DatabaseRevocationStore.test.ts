import type { Knex } from 'knex';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import { DatabaseRevocationStore, OVERLAP_MS } from './DatabaseRevocationStore';
import type { Revocation } from '../../gate/sessions/Revocation';
import type { RevocationRow } from './RevocationTable';

const TABLE = 'api_gate_revocations';
/** The arguments of a reading of all rows. */
const ALL = [{ recorded_at: -OVERLAP_MS, id: '' }, 1000];
const now = () => Math.floor(Date.now() / 1000);
const session = (change: Partial<Revocation> = {}): Revocation => ({
  scope: 'session',
  sub: 'user:default/jane',
  iat: now() - 10,
  exp: now() + 3600,
  ...change,
});
const user = (change: Partial<Revocation> = {}): Revocation =>
  session({ scope: 'user', ...change });

/** Creates a store over a table that returns `rows` to each query. */
function createFake() {
  const asked: unknown[][] = [];
  const rows: RevocationRow[] = [];
  const table = {
    read: async (after: unknown, limit: number) => {
      asked.push([after, limit]);
      return rows.slice();
    },
    write: async () => {},
  };
  const store = new DatabaseRevocationStore(table as never);
  /** Adds rows, of which the last one was recorded at a time. */
  const fill = (count: number, recordedAt: number) =>
    rows.push(
      ...Array.from({ length: count }, (_, i) => ({
        ...session(),
        id: `row ${i}`,
        recorded_at: recordedAt - count + 1 + i,
        read_at: 1_000_000_000_000,
      })),
    );
  return { asked, fill, rows, store, table };
}

describe('DatabaseRevocationStore', () => {
  it('[P43] begins two minutes before the newest row, and where there is none, again where it began', async () => {
    const { asked, fill, rows, store } = createFake();
    const empty = await store.read();
    fill(2, 700_000);
    const first = await store.read(empty.cursor);
    rows.length = 0;
    const second = await store.read(first.cursor);
    await store.read(second.cursor);
    const from = [{ recorded_at: 700_000 - OVERLAP_MS, id: '' }, 1000];
    expect(asked).toEqual([ALL, ALL, from, from]);
  });

  it('[P43] begins two minutes before the time of the database where a row is of the future', async () => {
    const { asked, fill, store } = createFake();
    fill(2, 2_000_000_000_000);
    const { cursor } = await store.read();
    await store.read(cursor);
    const from = { recorded_at: 1_000_000_000_000 - OVERLAP_MS, id: '' };
    expect(asked).toEqual([ALL, [from, 1000]]);
  });

  it('goes on after the last row of a page', async () => {
    const { asked, fill, rows, store } = createFake();
    fill(1_000, 2_000_000_000_000);
    const first = await store.read();
    expect(first.hasMore).toBe(true);
    rows.length = 0;
    fill(1, 2_000_000_000_001);
    const second = await store.read(first.cursor);
    expect(second.hasMore).toBe(false);
    await store.read(second.cursor);
    expect(asked).toEqual([
      ALL,
      [{ recorded_at: 2_000_000_000_000, id: 'row 999' }, 1000],
      [{ recorded_at: 1_000_000_000_000 - OVERLAP_MS, id: '' }, 1000],
    ]);
  });

  it.each([
    ['12~a b~c', { recorded_at: 12, id: 'a b~c' }],
    ['12~a\nb', { recorded_at: 12, id: 'a\nb' }],
    ['999999999999999~a', { recorded_at: 999_999_999_999_999, id: 'a' }],
    ['987654', { recorded_at: 987_654 - OVERLAP_MS, id: '' }],
  ])('reads on from the cursor %j', async (cursor, after) => {
    const { asked, store } = createFake();
    await store.read(cursor);
    expect(asked).toEqual([[after, 1000]]);
  });

  it.each([
    ...['', 'x', '-1', '1x', '1~', '~a', 'x~a', '1e3', '1;2', ' 1'],
    ...['1234567890123456', '1234567890123456~a', '~~', "0' or 1=1"],
  ])(
    'reads all from the cursor %j on, which is none of its own',
    async text => {
      const { asked, store } = createFake();
      await store.read(text);
      expect(asked).toEqual([ALL]);
    },
  );

  it('returns what has expired for five minutes, since clocks may differ', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(1_780_000_000_999);
    const { rows, store } = createFake();
    for (const exp of [1_779_999_699, 1_779_999_700]) {
      const times = { recorded_at: 1, read_at: 1 };
      rows.push({ ...session({ exp }), id: `${exp}`, ...times });
    }
    const { revocations } = await store.read();
    jest.mocked(Date.now).mockRestore();
    expect(revocations.map(({ exp }) => exp)).toEqual([1_779_999_700]);
  });

  it.each([
    [{ code: '22021' }, true],
    [{ code: '54000' }, true],
    [{ code: 'ER_DATA_TOO_LONG', sqlState: '22001' }, true],
    [{ code: '40001' }, false],
    [{ code: 22021 }, false],
    [{ code: '122021' }, false],
    [{ code: '220210' }, false],
    [{ code: '22-21' }, false],
    [{}, false],
  ])(
    'with the error %j it is %j that no retry helps',
    async (codes, isFinal) => {
      const { store, table } = createFake();
      const error = Object.assign(new Error('of the database'), codes);
      table.write = () => Promise.reject(error);
      await expect(store.add(session())).rejects.toMatchObject(
        isFinal
          ? {
              name: 'InputError',
              message: 'The database can not store this revocation',
            }
          : error,
      );
    },
  );
});

describe.each(testDatabases)(
  'DatabaseRevocationStore on %s',
  (kind, create) => {
    let database: TestDatabase;
    let knex: Knex;
    let store: DatabaseRevocationStore;
    const connect = async () =>
      DatabaseRevocationStore.create(await database.openGate());

    beforeEach(async () => {
      database = await create();
      knex = database.knex;
      store = await connect();
    });
    afterEach(() => database.remove());

    /** Moves the time of recorded rows back, so that the overlap does not cover them. */
    const age = () =>
      knex(TABLE).update({ recorded_at: Date.now() - 3600_000 });
    /** Reads all pages from a cursor on, and returns them with the last cursor. */
    async function readAll(cursor?: string) {
      let page = await store.read(cursor);
      const pages = [page.revocations];
      while (page.hasMore && pages.length < 10) {
        page = await store.read(page.cursor);
        pages.push(page.revocations);
      }
      return { pages, revocations: pages.flat(), cursor: page.cursor };
    }
    async function fill(count: number, row: object = {}) {
      const rows = Array.from({ length: count }, (_, i) => ({
        ...session(),
        id: `filled-${i}`,
        recorded_at: Date.now(),
        sub: `user:default/u${i}`,
        ...row,
      }));
      await knex.batchInsert(TABLE, rows, 100);
    }

    it('has one row of a session, and one of a user in any spelling', async () => {
      const [first, later] = [now() - 10, now() - 5];
      const exp = now() + 3600;
      for (const sub of ['user:default/jane', 'User:Default/JANE']) {
        for (const revocation of [
          user({ sub, iat: later, exp }),
          user({ sub, iat: first, exp: exp + 60 }),
          user({ sub, iat: first, exp: exp - 60 }),
        ]) {
          await store.add(revocation);
        }
      }
      for (let i = 0; i < 2; i += 1) {
        await store.add(session({ iat: first, exp }));
      }
      const rows = await knex(TABLE)
        .select('scope', 'iat', 'exp')
        .orderBy('scope');
      expect(
        rows.map(row => ({
          ...row,
          iat: Number(row.iat),
          exp: Number(row.exp),
        })),
      ).toEqual([
        { scope: 'session', iat: first, exp },
        { scope: 'user', iat: later, exp: exp + 60 },
      ]);
    });

    it('reads all at first, and then what is new', async () => {
      const ended = session();
      await store.add(ended);
      await store.add(user());
      const first = await readAll();
      expect(first.revocations).toHaveLength(2);
      await age();
      await store.add(ended);
      const second = await readAll(`${Date.now()}`);
      expect(second.revocations).toEqual([]);
      const added = session({ sub: 'user:default/new' });
      await store.add(added);
      const third = await readAll(second.cursor);
      expect(third.revocations).toEqual([added]);
    });

    it('reads the row of a user again when it lasts longer', async () => {
      await store.add(user({ iat: now() - 10 }));
      const { cursor } = await readAll();
      await age();
      await store.add(user({ iat: now() - 11 }));
      const longer = user({ sub: 'USER:default/jane', iat: now() });
      await store.add(longer);
      const [read] = (await readAll(cursor)).revocations;
      expect(read).toMatchObject({ scope: 'user', iat: longer.iat });
    });

    it('[P43] finds one that is committed up to two minutes late, and one from before the clock was set back', async () => {
      const at = (agoMs: number) => ({ recorded_at: Date.now() - agoMs });
      await store.add(user());
      const { cursor } = await readAll();
      await fill(1, at(110_000));
      const late = await readAll(cursor);
      expect(late.revocations).toHaveLength(2);
      await age();
      await fill(1, { id: 'of the future', ...at(-3600_000) });
      const future = await readAll(late.cursor);
      await store.add(session({ sub: 'user:default/new' }));
      const { revocations } = await readAll(future.cursor);
      expect(revocations.map(({ sub }) => sub)).toContain('user:default/new');
    });

    it('reads many in pages, all and new ones', async () => {
      await fill(2_500);
      const all = await readAll();
      expect(all.pages.map(({ length }) => length)).toEqual([1000, 1000, 500]);
      expect(new Set(all.revocations.map(({ sub }) => sub)).size).toBe(2_500);
      // All rows have one time, like the rows of one statement.
      await knex(TABLE).update({ recorded_at: Date.now() });
      const news = await readAll(all.cursor);
      expect(news.pages.map(({ length }) => length)).toEqual([1000, 1000, 500]);
      expect(new Set(news.revocations.map(({ sub }) => sub)).size).toBe(2_500);
    });

    it('leaves out what has expired, and removes it some at a time', async () => {
      await fill(1_200, { exp: now() - 301 });
      await store.add(session({ exp: now() - 299 }));
      await store.add(user());
      expect((await readAll()).revocations).toHaveLength(2);
      expect(await store.removeExpired()).toBe(true);
      expect(await store.removeExpired()).toBe(false);
      expect(await knex(TABLE).pluck('scope')).toHaveLength(2);
      // The clock of this replica is a day ahead.
      const date = jest
        .spyOn(Date, 'now')
        .mockReturnValue((now() + 86_400) * 1e3);
      expect(await store.removeExpired()).toBe(false);
      date.mockRestore();
      expect(await knex(TABLE).pluck('scope')).toHaveLength(2);
    });

    if (kind === 'PostgreSQL') {
      it('distinguishes rows that the database never accepts from temporary failures', async () => {
        await expect(
          store.add(session({ sub: 'user:default/\0' })),
        ).rejects.toMatchObject({ name: 'InputError' });
        await knex.schema.dropTable(TABLE);
        await expect(store.add(session())).rejects.not.toMatchObject({
          name: 'InputError',
        });
      });
    }
  },
);
