import type { Knex } from 'knex';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import { DatabaseRevocationStore, OVERLAP_MS } from './DatabaseRevocationStore';
import type { Revocation } from '../../gate/sessions/Revocation';
import { RevocationRow, SPAN_MS } from './RevocationTable';

const TABLE = 'api_gate_revocations';
/** The arguments of a reading of all rows. */
const ALL = [{ recorded_at: 0, id: '' }, 1000];
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

/** Creates a store over a table whose clock is at `clock.now`, and that returns `rows` to each query. */
function createFake() {
  const asked: unknown[][] = [];
  const clock = { now: 1_000_000_000_000 };
  const rows: RevocationRow[] = [];
  const table = {
    now: async () => clock.now,
    // Each reading finds a change in the whole overlap.
    summarize: async (since: number) => [
      { from: since, text: `${since}.${asked.length}.0` },
    ],
    read: async (after: unknown, limit: number) => {
      asked.push([after, limit]);
      return rows.slice();
    },
    write: async () => {},
  };
  const store = new DatabaseRevocationStore(table as never);
  /** Makes each page a full one. */
  const fillPages = () =>
    rows.push(
      ...Array.from({ length: 1_000 }, (_, i) => ({
        ...session(),
        id: `row ${i}`,
        recorded_at: 500_000 + i,
      })),
    );
  return { asked, clock, fillPages, rows, store, table };
}

describe('DatabaseRevocationStore', () => {
  it('begins two minutes before the last reading began, and earlier where the clock was set back', async () => {
    const { asked, clock, store } = createFake();
    const first = await store.read();
    clock.now += 2_000;
    const second = await store.read(first.cursor);
    clock.now -= 600_000;
    const third = await store.read(second.cursor);
    clock.now += 2_000;
    await store.read(third.cursor);
    const from = (recordedAt: number) => [
      { recorded_at: recordedAt - OVERLAP_MS, id: '' },
      1000,
    ];
    expect(asked).toEqual([
      ALL,
      from(1_000_000_000_000),
      from(1_000_000_000_000 + 2_000 - 600_000),
      from(1_000_000_000_000 + 2_000 - 600_000),
    ]);
  });

  it('goes on after the last row of a page, and next time from where the reading began', async () => {
    const { asked, clock, fillPages, rows, store } = createFake();
    fillPages();
    const first = await store.read();
    expect(first.hasMore).toBe(true);
    clock.now += 60_000;
    rows.length = 0;
    const second = await store.read(first.cursor);
    expect(second.hasMore).toBe(false);
    fillPages();
    clock.now += 60_000;
    const third = await store.read(second.cursor);
    await store.read(third.cursor);
    expect(asked).toEqual([
      ALL,
      [{ recorded_at: 500_999, id: 'row 999' }, 1000],
      [{ recorded_at: 1_000_000_000_000 - OVERLAP_MS, id: '' }, 1000],
      [{ recorded_at: 500_999, id: 'row 999' }, 1000],
    ]);
  });

  it.each([
    ['7~12~a b~c', { recorded_at: 12, id: 'a b~c' }],
    ['7~12~a\nb', { recorded_at: 12, id: 'a\nb' }],
    ['7;1.2.3~12~a', { recorded_at: 12, id: 'a' }],
    ['999999999999999;~12~a', { recorded_at: 12, id: 'a' }],
    ['7;~999999999999999~a', { recorded_at: 999_999_999_999_999, id: 'a' }],
    ['987654', { recorded_at: 987_654 - OVERLAP_MS, id: '' }],
  ])('reads on from the cursor %j', async (cursor, after) => {
    const { asked, store } = createFake();
    await store.read(cursor);
    expect(asked).toEqual([[after, 1000]]);
  });

  it.each([
    ...['', 'x', '-1', '1x', '1~', '1~2', '1~2~', '1~~', '1~~a', '1~x~a'],
    ...['1234567890123456', '1~1234567890123456~a', '1;x', '1;1~', '1e3'],
    ...['12~', '~~', "0' or 1=1"],
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
      rows.push({ ...session({ exp }), id: `${exp}`, recorded_at: 1 });
    }
    const { revocations } = await store.read();
    jest.mocked(Date.now).mockRestore();
    expect(revocations.map(({ exp }) => exp)).toEqual([1_779_999_700]);
  });

  it('[P43] reads the overlap from the first span on that has changed, and nothing where none has', async () => {
    const { asked, clock, store, table } = createFake();
    const [first, second, third] = [3, 2, 1].map(ago => {
      const from = clock.now - ago * SPAN_MS;
      return { from, text: `${from}.1.1` };
    });
    let spans = [first, second];
    table.summarize = async () => spans;
    let { cursor } = await store.read(`${clock.now}`);
    expect(cursor).toBe(`${clock.now};${first.text},${second.text}`);
    ({ cursor } = await store.read(cursor));
    spans = [first, { ...second, text: `${second.from}.2.9` }, third];
    ({ cursor } = await store.read(cursor));
    // The oldest span has left the overlap.
    spans = spans.slice(1);
    await store.read(cursor);
    expect(asked).toEqual([
      [{ recorded_at: first.from, id: '' }, 1000],
      [{ recorded_at: second.from, id: '' }, 1000],
    ]);
  });

  it('[P43] keeps its cursor short after an hour without a reading, and with a clock that was set back by an hour', async () => {
    const { asked, clock, store, table } = createFake();
    const hour = 3_600_000;
    const began = clock.now - 2 * hour;
    table.summarize = async since => {
      const spans = [];
      for (let from = began; from <= began + 2 * hour; from += SPAN_MS) {
        spans.push({ from, text: `${from}.999999.9999999999999999` });
      }
      return spans.filter(({ from }) => from > since - SPAN_MS);
    };
    const afterAnHour = await store.read(`${clock.now - hour}`);
    expect(encodeURIComponent(afterAnHour.cursor!).length).toBeLessThan(1_000);
    // The cursor has the start of the next reading all the same.
    expect((await store.read(afterAnHour.cursor)).revocations).toEqual([]);
    expect(asked).toHaveLength(1);
    clock.now -= hour;
    const setBack = await store.read(afterAnHour.cursor);
    expect(encodeURIComponent(setBack.cursor!).length).toBeLessThan(2_000);
    // The rows of the hour to come are read again.
    await store.read(setBack.cursor);
    expect(asked).toHaveLength(3);
  });

  it('keeps the summaries over the pages of a reading', async () => {
    const { asked, clock, fillPages, store, rows, table } = createFake();
    table.summarize = async () => [{ from: clock.now, text: '100.9.9' }];
    fillPages();
    const { cursor } = await store.read('7');
    expect(cursor).toBe('1000000000000;100.9.9~500999~row 999');
    rows.length = 0;
    expect((await store.read(cursor)).cursor).toBe('1000000000000;100.9.9');
    expect(asked[1]).toEqual([{ recorded_at: 500_999, id: 'row 999' }, 1000]);
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
      const second = await readAll(first.cursor);
      expect(second.revocations).toEqual([]);
      const added = session({ sub: 'user:default/new' });
      await store.add(added);
      const third = await readAll(second.cursor);
      expect(third.revocations).toEqual([added]);
      // The overlap still covers the row, which has been read.
      expect((await readAll(third.cursor)).revocations).toEqual([]);
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

    it('[P43] transfers the rows of the overlap once, and finds one that is committed late', async () => {
      const at = (agoMs: number) => ({ recorded_at: Date.now() - agoMs });
      await fill(900, at(100_000));
      await store.add(user());
      const first = await readAll(`${Date.now()}`);
      expect(first.revocations).toHaveLength(901);
      const second = await readAll(first.cursor);
      expect(second.revocations).toEqual([]);
      const late = { ...session(), id: 'late', ...at(60_000) };
      await knex(TABLE).insert(late);
      const third = await readAll(second.cursor);
      expect(third.revocations.map(({ scope }) => scope)).toEqual([
        'session',
        'user',
      ]);
      // The table has as many rows as before, but one has taken the place of another.
      await knex(TABLE).where({ id: 'late' }).delete();
      await knex(TABLE).insert({ ...late, id: 'later', ...at(59_990) });
      const fourth = await readAll(third.cursor);
      expect(fourth.revocations).toHaveLength(2);
      expect((await readAll(fourth.cursor)).revocations).toEqual([]);
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
