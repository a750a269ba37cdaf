import type { Knex } from 'knex';
import { TestDatabase, testDatabases } from '../__testUtils__/testDatabases';
import type { AllowRule } from '../config/AllowRule';
import type { ExternalToken } from '../config/readExternalTokens';
import type { GateDatabase } from '../util/GateDatabase';
import { MAX_OTHER_SUBJECTS } from './Subjects';
import { Usage, usedOf } from './Usage';
import { UsageTable } from './UsageTable';

const DAY_MS = 24 * 60 * 60 * 1000;
const TABLE = 'api_gate_usage';

const ruleFor = (path: string, methods = ['GET']): AllowRule => ({
  plugin: 'hello',
  path,
  methods,
});
const open = ruleFor('/open');

describe.each(testDatabases)('Usage on %s', (_kind, create) => {
  let database: TestDatabase;
  let knex: Knex;
  let log: string[];
  let replicas: Usage[];

  beforeEach(async () => {
    database = await create();
    ({ knex } = database);
    log = [];
    replicas = [];
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(replicas.map(replica => replica.stop()));
    await database.remove();
  });

  const record = (message: string) => log.push(message);
  const logger = { info: record, warn: record } as never;

  /** Makes a replica. `settings` can be changed while it is up. */
  function createReplica(settings: {
    allow?: AllowRule[];
    usage?: { keepMs: number } | undefined;
    externalTokens?: ExternalToken[];
  }) {
    const config = { allow: [], usage: { keepMs: 90 * DAY_MS }, ...settings };
    const replica = new Usage({
      logger,
      source: { current: { config } } as never,
      externalTokens: settings.externalTokens ?? [],
    });
    replicas.push(replica);
    return replica;
  }

  async function start(
    settings: Parameters<typeof createReplica>[0],
    gate?: GateDatabase,
  ) {
    const replica = createReplica(settings);
    await replica.follow(gate ?? (await database.openGate()));
    return replica;
  }

  const requestsOf = (replica: Usage, rule: AllowRule, method = 'GET') =>
    Object.values(replica.of(usedOf(rule, method)).days).flat();

  /** Moves the last observation of all rows into the past, as if no replica had been up since. */
  const letPass = (milliseconds: number) =>
    knex(TABLE).update({
      seen_at: knex.raw('seen_at - ?', [milliseconds]),
    });

  it('[P29] adds up what replicas count, and keeps it over a restart of all', async () => {
    const [a, b] = [
      await start({ allow: [open] }),
      await start({ allow: [open] }),
    ];
    a.ruleUsed(open, 'GET', true);
    a.ruleUsed(open, 'HEAD', false);
    b.ruleUsed(open, 'GET', true);
    // Each replica has its own requests at once.
    expect(requestsOf(a, open)).toEqual([2, 1]);
    await a.sync();
    await b.sync();
    expect(requestsOf(b, open)).toEqual([3, 2]);
    b.ruleUsed(open, 'GET', true);
    // The last requests are written when the replica stops.
    await Promise.all([a.stop(), b.stop()]);
    const c = await start({ allow: [open] });
    expect(requestsOf(c, open)).toEqual([4, 3]);
    expect(c.of(usedOf(open, 'GET')).lastUsed).toBeGreaterThan(
      Date.now() - 60_000,
    );
    expect(c.isComplete).toBe(true);
  });

  it('[P29] loses nothing if many replicas write at once', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, () => start({ allow: [open] })),
    );
    for (let round = 0; round < 3; round += 1) {
      all.forEach(replica => replica.ruleUsed(open, 'GET', true));
      await Promise.all(all.map(replica => replica.sync()));
    }
    // A replica whose row was changed meanwhile tries again.
    for (const replica of all) {
      await replica.sync();
    }
    await all[0].sync();
    expect(requestsOf(all[0], open)).toEqual([30, 30]);
    expect(log).toEqual([]);
  });

  it('[P29] keeps the history of a rule that is moved or reworded, and begins anew for another path or method', async () => {
    const first = await start({ allow: [open] });
    first.ruleUsed(open, 'GET', true);
    await first.stop();
    const moved = { ...ruleFor('/open', ['POST', 'GET']), reason: 'new words' };
    const other = ruleFor('/open/**');
    const second = await start({ allow: [other, moved] });
    expect(requestsOf(second, moved)).toEqual([1, 1]);
    expect(requestsOf(second, moved, 'POST')).toEqual([]);
    expect(requestsOf(second, other)).toEqual([]);
  });

  it('[P30] observes while a replica is up, and not in a gap in which none was', async () => {
    const replica = await start({ allow: [open] });
    const observedMs = () => replica.of(usedOf(open, 'GET')).observedMs;
    const sync = async () => {
      await replica.sync();
      // The time that this exchange has added is in the next reading.
      await replica.sync();
    };
    await letPass(60_000);
    await sync();
    expect(observedMs()).toBeGreaterThanOrEqual(60_000);
    expect(observedMs()).toBeLessThan(90_000);
    await letPass(10 * DAY_MS);
    await sync();
    expect(observedMs()).toBeLessThan(90_000);
    expect(+replica.since).toBeGreaterThan(Date.now() - 3_600_000);
  });

  it('[P30] does not count the time twice that two replicas are up', async () => {
    const [a, b] = [
      await start({ allow: [open] }),
      await start({ allow: [open] }),
    ];
    await letPass(60_000);
    await Promise.all([a.sync(), b.sync()]);
    await a.sync();
    expect(a.of(usedOf(open, 'GET')).observedMs).toBeLessThan(90_000);
  });

  it('[P30] does not set the time of observation back if a slow replica writes later than another', async () => {
    const replica = await start({ allow: [open] });
    const table = await UsageTable.create(await database.openGate());
    const now = await table.now();
    const rule = usedOf(open, 'GET');
    for (const at of [now + 60_000, now - 60_000, now + 61_000]) {
      await table.observe([rule], at, 80_000);
    }
    await replica.sync();
    const { observedMs } = replica.of(rule);
    expect(observedMs).toBeGreaterThanOrEqual(61_000 - 1_000);
    expect(observedMs).toBeLessThan(62_000);
  });

  it('[P30] does not observe a rule while no replica has it', async () => {
    const replica = await start({ allow: [] });
    for (let i = 0; i < 3; i += 1) {
      await letPass(60_000);
      await replica.sync();
    }
    await replica.stop();
    const later = await start({ allow: [open] });
    expect(later.of(usedOf(open, 'GET')).observedMs).toBe(0);
  });

  it('counts by day, for 30 days', async () => {
    const replica = await start({ allow: [open] });
    const now = Date.now();
    const today = Math.floor(now / DAY_MS);
    for (const daysAgo of [40, 30, 29, 1]) {
      jest.spyOn(Date, 'now').mockReturnValue(now - daysAgo * DAY_MS);
      replica.ruleUsed(open, 'GET', false);
    }
    jest.restoreAllMocks();
    await replica.sync();
    const { days } = replica.of(usedOf(open, 'GET'));
    expect(Object.keys(days).map(day => today - Number(day))).toEqual([29, 1]);
  });

  it('forgets what no replica has had in its configuration for as long as `keep` says', async () => {
    const keepMs = 30 * DAY_MS;
    const usage = { keepMs };
    const first = await start({ allow: [open, ruleFor('/kept')], usage });
    first.ruleUsed(open, 'GET', true);
    await first.stop();
    await letPass(31 * DAY_MS);
    const second = await start({ allow: [ruleFor('/kept')], usage });
    await second.sync();
    const names = await knex(TABLE).pluck('name');
    expect(names.sort()).toEqual(['', 'GET hello/kept']);
  });

  it('[P31] has no more rows than rules, their methods and tokens, and 200 subjects of other tokens', async () => {
    const externalTokens = [{ subject: 'ci', isRestricted: false }];
    const allow = [ruleFor('/a', ['GET', 'POST']), ruleFor('/b/**')];
    const settings = { allow, externalTokens };
    const all = [await start(settings), await start(settings)];
    for (const [n, replica] of all.entries()) {
      for (let i = 0; i < 300; i += 1) {
        replica.tokenUsed(`external:${n}-${i}`, 'hello');
      }
      replica.tokenUsed('external:\u0000', 'hello');
      replica.tokenUsed('x'.repeat(251), 'hello');
      replica.tokenUsed('ci', 'hello');
      replica.ruleUsed(allow[0], 'HEAD', true);
    }
    for (const replica of [...all, all[0]]) {
      await replica.sync();
    }
    const rows = await knex(TABLE).pluck('name');
    // Two rows are the record itself, and the sum of all further subjects.
    expect(rows).toHaveLength(3 + 1 + MAX_OTHER_SUBJECTS + 2);
    const further = all[0].of({ kind: 'token', name: '…' });
    expect(Object.values(further.days).flat()[0]).toBe(600 + 4 - 200);
    expect(all[0].tokens).toHaveLength(MAX_OTHER_SUBJECTS + 2);
  }, 60_000);

  it('[P29] counts in memory while the database is down, and stores all of it later', async () => {
    let isDown = true;
    const reachable = await database.openGate();
    const gate = {
      get knex() {
        if (isDown) {
          throw new Error('connection refused');
        }
        return knex;
      },
      run: reachable.run.bind(reachable),
      runAll: reachable.runAll.bind(reachable),
    } as GateDatabase;
    const replica = await start({ allow: [open] }, gate);
    expect(replica.isComplete).toBe(false);
    replica.ruleUsed(open, 'GET', true);
    await replica.sync().catch(() => {});
    expect([requestsOf(replica, open), replica.isComplete]).toEqual([
      [1, 1],
      false,
    ]);
    isDown = false;
    await replica.sync();
    expect(replica.isComplete).toBe(true);
    const [{ uses }] = await knex(TABLE).where({ name: 'GET hello/open' });
    expect(Object.values(JSON.parse(uses).days)).toEqual([[1, 1]]);

    // The table is lost while the replica is up.
    await knex.schema.dropTable(TABLE);
    replica.ruleUsed(open, 'GET', true);
    await expect(replica.sync()).rejects.toThrow();
    const later = performance.now() + 3 * 60_000;
    jest.spyOn(performance, 'now').mockReturnValue(later);
    expect(replica.isComplete).toBe(false);
    expect(requestsOf(replica, open)).toEqual([2, 2]);
  });

  it('[P29] waits no longer than six seconds for a database that hangs at the start, and five when it stops', async () => {
    const replica = createReplica({ allow: [open] });
    const gate = await database.openGate();
    jest
      .spyOn(gate.knex, 'from')
      .mockReturnValue({ columnInfo: () => new Promise(() => {}) } as never);
    const startedAt = performance.now();
    await replica.follow(gate);
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThan(5_900);
    replica.ruleUsed(open, 'GET', true);
    expect([requestsOf(replica, open), replica.isComplete]).toEqual([
      [1, 1],
      false,
    ]);
    await replica.stop();
    expect(performance.now() - startedAt - tookMs).toBeLessThan(9_000);
    replicas = [];
  }, 30_000);

  it('bounds its memory while the database is down, and is not complete after that', async () => {
    const replica = await start({ allow: [] });
    for (let i = 0; i < 10_050; i += 1) {
      replica.ruleUsed(ruleFor(`/${i}`), 'GET', true);
    }
    expect(replica.isComplete).toBe(false);
    expect(requestsOf(replica, ruleFor('/9999'))).toEqual([1, 1]);
    expect(requestsOf(replica, ruleFor('/10000'))).toEqual([]);
    // They are of no use to this test, and many.
    replicas = [];
  });

  it('creates its table for twenty replicas at once', async () => {
    await Promise.all(
      Array.from({ length: 20 }, () => start({ allow: [open] })),
    );
    expect(replicas.every(({ isComplete }) => isComplete)).toBe(true);
    expect(log).toEqual([]);
  });

  it('warns once, with the SQL, where it may not create its table, and counts in memory', async () => {
    const replica = createReplica({ allow: [open] });
    await replica.follow(await database.openGate({ skip: true }));
    await replica.sync().catch(() => {});
    replica.ruleUsed(open, 'GET', true);
    expect(requestsOf(replica, open)).toEqual([1, 1]);
    expect(replica.isComplete).toBe(false);
    expect(log).toEqual([
      expect.stringMatching(
        /^API gate keeps no record of which rules and tokens are used\. The table api_gate_usage is not in [^\n]*skipMigrations is set[^\n]*$/,
      ),
    ]);
    for (const statement of log[0].split('Create it with: ')[1].split(';')) {
      if (statement.trim()) {
        await knex.raw(statement);
      }
    }
    await replica.sync();
    expect(replica.isComplete).toBe(true);
  });

  it('reads a row that somebody else has written as an empty one', async () => {
    const replica = await start({ allow: [open] });
    for (const uses of ['', '{', 'null', '[]', '{"days":{"1":2}}', '"x"']) {
      await knex(TABLE).update({ uses });
      replica.ruleUsed(open, 'GET', true);
      await replica.sync();
    }
    expect(requestsOf(replica, open)).toEqual([1, 1]);
  });

  it('does nothing, and creates no table, if it is off', async () => {
    const replica = await start({ allow: [open], usage: undefined });
    replica.ruleUsed(open, 'GET', true);
    replica.tokenUsed('ci', 'hello');
    await replica.sync();
    expect(requestsOf(replica, open)).toEqual([]);
    expect(await knex.schema.hasTable(TABLE)).toBe(false);
  });
});
