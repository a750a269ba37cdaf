import { blocksAfter } from '../../__tests__/__testUtils__/documents';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import { DatabaseRevocationStore } from './DatabaseRevocationStore';
import { lockOfUser, RevocationList } from '../../gate/sessions/Revocation';
import { SPAN_MS } from './RevocationTable';
import { UserLocks } from './UserLocks';

const TABLE = 'api_gate_revocations';
const JANE = 'user:default/jane';
const DAY = 24 * 60 * 60;
const now = () => Math.floor(Date.now() / 1000);

describe.each(testDatabases)('[P80] UserLocks on %s', (kind, create) => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await create();
  });
  afterEach(() => {
    jest.restoreAllMocks();
    return database.remove();
  });

  /** Starts a replica, which reads the table when it is told to. */
  async function startReplica() {
    const gate = await database.openGate();
    const store = await DatabaseRevocationStore.create(gate);
    const revocations = new RevocationList();
    let cursor: string | undefined;
    return {
      knex: gate.knex,
      store,
      revocations,
      locks: new UserLocks({ store, revocations }),
      async poll() {
        const page = await store.read(cursor);
        ({ cursor } = page);
        revocations.add(page.revocations);
        return page.revocations.length;
      },
      locked: () => revocations.isLocked(JANE),
      refuses: (iat: number) =>
        revocations.isRevoked({ sub: JANE, iat, exp: iat + 3600 }),
    };
  }

  /** Sets the clock of the replicas, and not that of the database. */
  const setClock = (seconds: number) => {
    jest.spyOn(Date, 'now').mockReturnValue(seconds * 1000);
  };

  it('sets a lock, replaces it by a shorter one and lifts it, at every replica', async () => {
    const [a, b] = [await startReplica(), await startReplica()];
    await b.poll();
    const end = now() + 3600;
    expect(await a.locks.find(JANE)).toBeUndefined();
    await a.locks.set(JANE, end);
    expect([a.locked(), b.locked()]).toEqual([true, false]);
    await b.poll();
    expect([b.locked(), b.refuses(end + 9)]).toEqual([true, true]);
    expect(await b.locks.find('USER:default/Jane')).toBe(end);

    await b.locks.set(JANE, end - 60);
    expect(await a.locks.find(JANE)).toBe(end - 60);
    const lifted = now();
    await a.locks.set(JANE, lifted);
    expect(await a.locks.find(JANE)).toBeUndefined();
    for (const replica of [a, b]) {
      await replica.poll();
      expect(replica.locked()).toBe(false);
      expect([lifted, lifted + 1].map(replica.refuses)).toEqual([true, false]);
    }
    const restarted = await startReplica();
    await restarted.poll();
    expect(restarted.locked()).toBe(false);
    expect([lifted, lifted + 1].map(restarted.refuses)).toEqual([true, false]);
    expect(await database.knex(TABLE)).toHaveLength(1);
  });

  it('lets the later change win, however far the clocks of replicas are apart, and within one second', async () => {
    const [a, b] = [await startReplica(), await startReplica()];
    await b.poll();
    const start = now();
    setClock(start + 300);
    await a.locks.set(JANE, start + 7200);
    setClock(start);
    await b.locks.set(JANE, start);
    await b.poll();
    await a.poll();
    expect([a.locked(), b.locked()]).toEqual([false, false]);
    for (let i = 0; i < 5; i += 1) {
      await a.locks.set(JANE, start + 60 + i);
      await b.locks.set(JANE, start);
      await a.poll();
      expect([a.locked(), b.locked()]).toEqual([false, false]);
    }
  });

  // A lock of an hour that is lifted so many milliseconds later.
  it.each([3599, 3600])(
    'is seen where a sum of times stays the same: %i',
    async later => {
      const replica = await startReplica();
      await replica.locks.set(JANE, now() + 3600);
      await database.knex(TABLE).update({
        recorded_at: database.knex.raw('recorded_at - recorded_at % ?', [
          SPAN_MS,
        ]),
      });
      await replica.poll();
      await replica.poll();
      expect(await replica.poll()).toBe(0);
      await database.knex(TABLE).update({
        iat: database.knex.raw('iat + 1'),
        exp: database.knex.raw('exp - 3600'),
        recorded_at: database.knex.raw('recorded_at + ?', [later]),
      });
      await replica.poll();
      expect(replica.locked()).toBe(false);
    },
  );

  it('keeps the row until the tokens of the lock have expired, and no longer', async () => {
    const replica = await startReplica();
    const end = now() + 3600;
    await replica.locks.set(JANE, end);
    const [{ exp }] = await database.knex(TABLE);
    expect(Number(exp)).toBe(end + DAY);
    const isKept = async (secondsAfterEnd: number) => {
      await database.knex(TABLE).update({ exp: now() - secondsAfterEnd + DAY });
      await replica.store.removeExpired();
      return (await database.knex(TABLE)).length === 1;
    };
    expect(await isKept(DAY + 290)).toBe(true);
    expect(await isKept(DAY + 310)).toBe(false);
  });

  it('costs a poll no more with 10,000 users locked', async () => {
    const replica = await startReplica();
    let statements = 0;
    let rows = 0;
    replica.knex.on('query-response', (_, { response }) => {
      statements += 1;
      rows += response?.rows?.length ?? response?.length ?? 0;
    });
    const costOfPoll = async () => {
      statements = 0;
      rows = 0;
      await replica.poll();
      return { statements, rows };
    };
    await replica.poll();
    await replica.poll();
    const none = await costOfPoll();
    const ago = Date.now() - 600_000;
    const locks = Array.from({ length: 10_000 }, (_, i) => ({
      ...lockOfUser(`user:default/u${i}`, now() + 3600),
      id: `u${i}`,
      recorded_at: ago,
    }));
    await database.knex.batchInsert(TABLE, locks, 100);
    const restarted = await startReplica();
    while ((await restarted.poll()) > 0);
    expect(restarted.revocations.size).toBe(10_000);
    expect(restarted.revocations.isLocked('user:default/U9999')).toBe(true);
    expect(await costOfPoll()).toEqual(none);
    expect(none.statements).toBe(2);
  });

  it('is lifted by the SQL of docs/sign-out.md', async () => {
    const [a, b] = [await startReplica(), await startReplica()];
    await a.locks.set(JANE, now() + 3600);
    await a.locks.set('user:default/john', now() + 3600);
    await b.poll();
    await b.poll();
    const [sql] = blocksAfter('docs/sign-out.md', 'By hand', 'sql').filter(
      text => text.includes(`-- ${kind}`),
    );
    await database.knex.raw(sql);
    for (const replica of [a, b, await startReplica()]) {
      await replica.poll();
      jest.restoreAllMocks();
      setClock(Date.now() / 1000 + 1);
      expect(replica.locked()).toBe(false);
      expect(replica.refuses(now() - 2)).toBe(true);
      expect(replica.refuses(now() + 1)).toBe(false);
      expect(replica.revocations.isLocked('user:default/john')).toBe(true);
      jest.restoreAllMocks();
    }
  });
});

it('a change that the database does not answer fails after six seconds, and is not repeated', async () => {
  jest.useFakeTimers();
  const add = jest.fn(() => new Promise<void>(() => {}));
  const readLock = jest.fn(async () => undefined);
  const revocations = new RevocationList();
  const locks = new UserLocks({ store: { add, readLock }, revocations });
  const failure = locks.set(JANE, now() + 60).catch(error => error);
  await jest.advanceTimersByTimeAsync(60_000);
  expect(String(await failure)).toContain('does not answer');
  jest.useRealTimers();
  expect(add).toHaveBeenCalledTimes(1);
  expect(revocations.size).toBe(0);
});
