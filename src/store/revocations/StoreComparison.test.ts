import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import { DatabaseRevocationStore } from './DatabaseRevocationStore';
import {
  now,
  Revocation,
  RevocationList,
} from '../../gate/sessions/Revocation';
import { Revocations } from './Revocations';
import { StoreComparison } from './StoreComparison';

const TABLE = 'api_gate_revocations';
const MINUTE = 60;
const HOUR = 60 * MINUTE;

const ofSession = (sub: string, change: Partial<Revocation> = {}) => ({
  ...{ scope: 'session' as const, sub, iat: now() - 60, exp: now() + HOUR },
  ...change,
});
const ofUser = (sub: string, iat: number): Revocation => ({
  ...{ scope: 'user', sub, iat, exp: iat + 24 * HOUR },
});
const refuses = (list: RevocationList, { sub, iat, exp }: Revocation) =>
  list.isRevoked({ sub, iat, exp });

/** The seconds that have passed for all replicas. */
let passed = 0;
beforeEach(() => {
  passed = 1_000;
  jest.spyOn(performance, 'now').mockImplementation(() => passed * 1_000);
});
afterEach(() => jest.restoreAllMocks());

describe.each(testDatabases)('StoreComparison on %s', (_, create) => {
  let database: TestDatabase;
  let knex: Knex;
  let store: DatabaseRevocationStore;
  beforeEach(async () => {
    database = await create();
    knex = database.knex;
    store = await DatabaseRevocationStore.create(await database.openGate());
  });
  afterEach(() => database.remove());

  /** Creates a replica that has read the table. */
  async function startReplica(options: { writes?: boolean } = {}) {
    const list = new RevocationList();
    const written: Revocation[] = [];
    const warnings: unknown[][] = [];
    const stopping = new AbortController();
    /** Runs before each page, and before each write. */
    const hooks = { read: async () => {}, write: async () => {} };
    const write = async (revocation: Revocation) => {
      await hooks.write();
      written.push(revocation);
      await store.add(revocation);
      list.add([revocation], true);
    };
    const addPage = async (cursor?: string) => {
      await hooks.read();
      const page = await store.read(cursor);
      list.add(page.revocations, true);
      return page;
    };
    const comparison = new StoreComparison({
      ...{ list, addPage, signal: stopping.signal },
      logger: {
        warn: (...line: unknown[]) => warnings.push(line),
      } as unknown as LoggerService,
      write: () => (options.writes === false ? undefined : write),
    });
    /** Reads all now. */
    const compare = async () => {
      comparison.request();
      let page = await addPage();
      while (page.hasMore) {
        page = await addPage(page.cursor);
      }
      for (let i = 0; i < 10; i += 1) {
        await comparison.readPage();
      }
    };
    await compare();
    return {
      ...{ comparison, compare, hooks, list, stopping, warnings, written },
    };
  }

  const backUp = () => knex(TABLE).select();
  async function restore(rows: object[]) {
    await knex(TABLE).delete();
    if (rows.length > 0) {
      await knex(TABLE).insert(rows);
    }
    passed += 1;
  }

  it('[P105] writes back the sign-outs that a restore has lost', async () => {
    const [joe, john] = ['user:default/joe', 'user:default/john'];
    await store.add(ofUser(joe, now() - HOUR));
    const ran = await startReplica();
    const backup = await backUp();

    const lost = [
      ofSession('user:default/jane'),
      ofUser(joe, now()),
      // It has an end in the future.
      ofUser(john, now() + HOUR),
    ];
    for (const each of lost) {
      await store.add(each);
    }
    await ran.compare();
    expect(ran.comparison.missing).toBe(0);
    await restore(backup);
    const answersOf = ({ list }: typeof ran) =>
      lost.map(each => refuses(list, each));
    expect(answersOf(await startReplica())).toEqual([false, false, false]);

    passed += MINUTE;
    await ran.compare();
    expect(
      ran.written.map(({ scope, sub }) => `${scope} ${sub}`).sort(),
    ).toEqual(lost.map(({ scope, sub }) => `${scope} ${sub}`));
    expect(ran.comparison.missing).toBe(0);
    expect(ran.warnings).toEqual([
      [expect.stringContaining('written sign-outs back'), { written: 3 }],
    ]);
    for (const replica of [ran, await startReplica()]) {
      expect(answersOf(replica)).toEqual([true, true, true]);
      expect(replica.comparison.missing).toBe(0);
    }
  });

  it.each([
    [20 * MINUTE - 1, 1],
    [20 * MINUTE, 0],
  ])(
    'writes back what it saw %i s before the restore: %i',
    async (seconds, expected) => {
      const jane = ofSession('user:default/jane');
      await store.add(jane);
      const { compare, comparison, list, written } = await startReplica();
      passed += seconds;
      await restore([]);
      await compare();
      expect(written).toHaveLength(expected);
      expect(comparison.missing).toBe(1 - expected);
      expect(refuses(list, jane)).toBe(true);
    },
  );

  it('counts and writes nothing that was never in the table, that has expired, or that another backend stores', async () => {
    const expired = ofSession('user:default/a', { exp: now() - 1 });
    const live = ofSession('user:default/b');
    await store.add(expired);
    await store.add(live);
    const ran = await startReplica();
    const other = await startReplica({ writes: false });
    ran.list.add([ofSession('user:default/not-stored-yet')]);
    ran.list.add([ofUser('user:default/not-stored-yet', now())]);
    await restore([]);
    await other.compare();
    expect([other.comparison.missing, other.written]).toEqual([1, []]);
    await ran.compare();
    expect(ran.written.map(({ sub }) => sub)).toEqual([live.sub]);
    expect(ran.comparison.missing).toBe(0);
    // The other replica reads what was written back.
    await other.compare();
    expect(other.comparison.missing).toBe(0);
  });

  it('counts and writes no sign-out that a later one has replaced, which is not stored yet', async () => {
    const sub = 'user:default/joe';
    await store.add(ofUser(sub, now() - HOUR));
    const ran = await startReplica();
    ran.list.add([ofUser(sub, now())]);
    passed += MINUTE;
    await ran.compare();
    expect([ran.comparison.missing, ran.written]).toEqual([0, []]);
  });

  it('shares the writing with other replicas, ten at a time, and stops at the first that fails', async () => {
    const sessions = Array.from({ length: 1_400 }, (__, i) =>
      ofSession(`user:default/u${i}`),
    );
    for (const each of sessions) {
      await store.add(each);
    }
    const [a, b] = [await startReplica(), await startReplica()];
    await restore([]);
    let [underWay, most] = [0, 0];
    b.hooks.write = async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await Promise.resolve();
      underWay -= 1;
      if (b.written.length === 200) {
        throw new Error('gone');
      }
    };
    await expect(b.compare()).rejects.toThrow('gone');
    expect(most).toBe(10);
    expect(b.written.length).toBeLessThan(211);
    await a.compare();
    expect(a.written.length + b.written.length).toBeLessThanOrEqual(1_400);
    expect(a.written.length).toBeGreaterThan(1_150);
    // Another replica has written the rest meanwhile.
    b.hooks.write = async () => {};
    await b.compare();
    expect(b.written.length).toBeLessThan(211);
    for (const { comparison, list } of [a, b, await startReplica()]) {
      expect(comparison.missing).toBe(0);
      expect(list.size).toBe(1_400);
    }
  }, 60_000);

  it('writes no more once it is stopped', async () => {
    await store.add(ofSession('user:default/jane'));
    const { compare, stopping, written } = await startReplica();
    await restore([]);
    stopping.abort();
    await compare();
    expect(written).toEqual([]);
  });

  it('takes for stored what this replica has written, and no poll has read yet', async () => {
    const revocations = new Revocations({
      logger: { warn: () => {} } as unknown as LoggerService,
      pollIntervalMs: 300_000,
    });
    await revocations.follow(store);
    const jane = ofSession('user:default/jane');
    expect(await revocations.revoke(jane)).toBe(true);
    passed += 1;
    expect(revocations.lostSince(performance.now())).toMatchObject([jane]);
    revocations.stop();
  });

  it('reads nothing before ten minutes have passed', async () => {
    const { comparison, hooks } = await startReplica();
    let pages = 0;
    hooks.read = async () => {
      pages += 1;
    };
    passed += 10 * MINUTE - 1;
    await comparison.readPage();
    expect(pages).toBe(0);
    passed += 1;
    await comparison.readPage();
    await comparison.readPage();
    expect(pages).toBe(1);
  });
});
