import knexFactory, { Knex } from 'knex';
import { countBy, times } from 'lodash';
import { FaultyProxy } from '../../__tests__/__testUtils__/FaultyProxy';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import type { AllowRule } from '../../gate/rules/AllowRule';
import type { ExternalToken } from '../../settings/read/readExternalTokens';
import { DatabaseConnections } from '../DatabaseConnections';
import {
  FURTHER_NAMES,
  MAX_NAMES_OF_GROUP,
  MAX_OTHER_NAMES,
} from './UsageNames';
import { Usage } from './Usage';
import { UsageTable } from './UsageTable';
import {
  keyOf,
  ODD_PATH,
  REPORT_ONLY,
  tokenCallOf,
  Used,
  usedCall,
  usedBy,
  usedRule,
  usedWorked,
  workedRequestOf,
} from './Use';

const DAY_MS = 24 * 60 * 60 * 1000;
const TABLE = 'api_gate_usage';

const ruleFor = (path: string, methods = ['GET']): AllowRule => ({
  plugin: 'hello',
  path,
  methods,
});
const open = ruleFor('/open');
const twenty = Array.from({ length: 20 }, (_, i) => ruleFor(`/${i}`));

describe.each(testDatabases)('Usage on %s', (kind, create) => {
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
    jest.useRealTimers();
    await Promise.all(replicas.map(replica => replica.stop()));
    await database.remove();
  });

  const record = (message: string) => log.push(message);
  const logger = { info: record, warn: record } as never;

  /** Makes a replica. `settings` can be changed while it is up. */
  function createReplica(settings: {
    allow?: AllowRule[];
    usage?: boolean;
    externalTokens?: ExternalToken[];
    isEnforced?: boolean;
  }) {
    const config = { allow: [], usage: true, ...settings };
    const replica = new Usage({
      logger,
      source: {
        current: { config, isEnforced: settings.isEnforced ?? true },
      } as never,
      externalTokens: settings.externalTokens ?? [],
    });
    replicas.push(replica);
    return replica;
  }

  async function start(
    settings: Parameters<typeof createReplica>[0],
    gate?: DatabaseConnections,
  ) {
    const replica = createReplica(settings);
    await replica.follow(gate ?? (await database.openGate()));
    return replica;
  }

  const startMany = (count: number, allow: AllowRule[]) =>
    Promise.all(Array.from({ length: count }, () => start({ allow })));

  const useOf = (replica: Usage, used: Used) => replica.read().get(keyOf(used));

  /** Returns how many requests have used a rule, and how many of these had no credential. */
  function requestsOf(replica: Usage, rule: AllowRule, method = 'GET') {
    const { requests = 0, anonymous = 0 } =
      useOf(replica, usedRule(rule, method)) ?? {};
    return [requests, anonymous];
  }

  const daysOf = (replica: Usage, rule: AllowRule) =>
    useOf(replica, usedRule(rule, 'GET'))?.days ?? 0;

  /** Replaces the day of the database's clock and of the clock of this process. The result changes it. */
  function startDays() {
    const now = Date.now();
    const today = Math.floor(now / DAY_MS);
    const clock = jest.spyOn(Date, 'now');
    const spy = jest.spyOn(UsageTable.prototype, 'today');
    const goTo = (day: number) => {
      clock.mockReturnValue(now + day * DAY_MS);
      spy.mockResolvedValue(today + day);
    };
    goTo(0);
    return goTo;
  }

  /** Opens the gate's access. `fault` runs after each statement that inserts, in place of its answer. */
  async function openFaulty(fault: () => void): Promise<DatabaseConnections> {
    const gate = await database.openGate();
    const run = gate.run.bind(gate);
    jest.spyOn(gate, 'run').mockImplementation(async statement => {
      const answer = await run(statement);
      if (/^insert/.test(String(statement(gate.knex)))) {
        fault();
      }
      return answer;
    });
    return gate;
  }

  it('has the requests of this process before it follows a database, and the day of that later', async () => {
    const today = Math.floor(Date.now() / DAY_MS);
    jest.spyOn(UsageTable.prototype, 'today').mockResolvedValue(today - 1);
    const externalTokens = [{ subject: 'ci', isRestricted: false }];
    const replica = createReplica({ allow: [open], externalTokens });
    expect(replica.externalTokens).toBe(externalTokens);
    const request = { plugin: 'hello', method: 'GET' };
    replica.ruleUsed(open, 'GET', true);
    replica.worked(request);
    const names = ['ci', 'x'.repeat(250), 'x'.repeat(251), '\0ci', 'ci\0'];
    names.forEach(name => replica.tokenUsed(name, 'hello'));
    const once = {
      ...{ requests: 1, anonymous: 0, days: 0, recentDays: 0 },
      ...{ firstDay: today, lastDay: today, lastUsed: today },
    };
    expect([...replica.read().values()]).toEqual([
      { ...usedRule(open, 'GET'), ...once, anonymous: 1 },
      { ...usedWorked(request), ...once },
      { ...usedBy('token', names[0], 'hello'), ...once },
      { ...usedBy('token', names[1], 'hello'), ...once },
      // Databases do not store such names.
      { ...usedBy('token', FURTHER_NAMES, 'hello'), ...once, requests: 3 },
    ]);
    expect([replica.isShared, replica.day]).toEqual([false, today]);
    await replica.follow(await database.openGate());
    expect([replica.isShared, replica.day]).toEqual([true, today - 1]);
  });

  it('writes more rules than one statement can', async () => {
    const allow = Array.from({ length: 600 }, (_, i) => ruleFor(`/${i}`));
    expect((await start({ allow })).isComplete).toBe(true);
    expect(await knex(TABLE)).toHaveLength(600);
  });

  it('[P29] adds up what replicas count, and keeps it over a restart of all', async () => {
    const [a, b] = await startMany(2, [open]);
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
    expect(useOf(c, usedRule(open, 'GET'))?.lastUsed).toBe(
      Math.floor(Date.now() / DAY_MS),
    );
    expect(c.isComplete).toBe(true);
  });

  it('[P29] loses none of 20,000 requests if twenty replicas stop at once', async () => {
    const allow = Array.from({ length: 200 }, (_, i) => ruleFor(`/${i}`));
    const all = await startMany(20, allow);
    for (const [i, replica] of all.entries()) {
      // Each writes the same rows, half of them in the other order.
      for (const rule of i % 2 ? allow : [...allow].reverse()) {
        times(5, () => replica.ruleUsed(rule, 'GET', true));
      }
    }
    await Promise.all(all.map(replica => replica.stop()));
    const later = await start({ allow });
    expect(countBy(allow.map(rule => requestsOf(later, rule)))).toEqual({
      '100,100': 200,
    });
    expect(log).toEqual([]);
  }, 60_000);

  it('[P29] stores all uses of twenty replicas that are in phase with one exchange of each', async () => {
    const all = await startMany(20, twenty);
    all.forEach(replica =>
      twenty.forEach(rule => replica.ruleUsed(rule, 'GET', true)),
    );
    await Promise.all(all.map(replica => replica.sync()));
    const [{ stored }] = await knex(TABLE).sum({ stored: 'requests' });
    expect(Number(stored)).toBe(20 * 20);
    // Each replica reads them with its next exchange.
    await Promise.all(all.map(replica => replica.sync()));
    for (const replica of all) {
      expect(twenty.map(rule => requestsOf(replica, rule))).toEqual(
        twenty.map(() => [20, 20]),
      );
      expect(replica.isComplete).toBe(true);
    }
  }, 60_000);

  it('[P29] loses nothing whose answer was lost, and counts it twice at worst', async () => {
    const allow = Array.from({ length: 510 }, (_, i) => ruleFor(`/${i}`));
    let isLost = false;
    const gate = await openFaulty(() => {
      if (isLost) {
        isLost = false;
        throw new Error('No answer');
      }
    });
    const a = await start({ allow }, gate);
    const b = await start({ allow });
    const requests = (replica: Usage) =>
      countBy(allow.map(rule => requestsOf(replica, rule)[0]));
    allow.forEach(rule => a.ruleUsed(rule, 'GET', true));
    isLost = true;
    await expect(a.sync()).rejects.toThrow('No answer');
    expect([requests(a), a.isComplete]).toEqual([{ 1: 510 }, false]);
    await a.sync();
    await b.sync();
    // A statement has at most 500 rows.
    expect([requests(a), requests(b)]).toEqual([
      { 1: 10, 2: 500 },
      { 1: 10, 2: 500 },
    ]);
    expect([a.isComplete, b.isComplete]).toEqual([true, true]);
  }, 60_000);

  it('[P104] adds no rows if a process starts over and over', async () => {
    const gate = await database.openGate();
    const externalTokens = [{ subject: 'ci', isRestricted: false }];
    await start({ allow: twenty, externalTokens });
    const statements: string[] = [];
    gate.knex.on('query', ({ sql }) => statements.push(sql));
    for (let i = 0; i < 10; i += 1) {
      await (await start({ allow: twenty, externalTokens }, gate)).stop();
    }
    expect(await knex(TABLE)).toHaveLength(20 + 3);
    expect(statements.filter(sql => sql.startsWith('insert'))).toEqual([]);
  });

  it('writes what has changed and no more: nothing of an idle replica', async () => {
    const gate = await database.openGate();
    const replica = await start({ allow: twenty }, gate);
    const queries: { sql: string; bindings: unknown[] }[] = [];
    gate.knex.on('query', query => queries.push(query));
    const exchange = async () => {
      queries.length = 0;
      await replica.sync();
      return queries.filter(({ sql }) => !sql.startsWith('select'));
    };
    expect(await exchange()).toEqual([]);
    replica.ruleUsed(twenty[7], 'GET', true);
    const [written, ...others] = await exchange();
    expect(others).toEqual([]);
    expect(written.bindings).toContain('GET hello/7');
    expect(written.bindings).toHaveLength(7);
    expect(await exchange()).toEqual([]);
  });

  it('lets replicas that start together go out of step', async () => {
    const timers = jest.spyOn(global, 'setTimeout');
    await startMany(20, [open]);
    const waits = timers.mock.calls
      .map(([, milliseconds]) => milliseconds!)
      .filter(milliseconds => milliseconds > 30_000 && milliseconds <= 40_000);
    expect(new Set(waits).size).toBe(20);
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(2_000);
  });

  it('[P29] keeps the history of a rule that is moved or reworded, and begins anew for another path or method', async () => {
    const first = await start({ allow: [open] });
    first.ruleUsed(open, 'GET', true);
    await first.stop();
    const moved = { ...ruleFor('/open', ['POST', 'GET']), reason: 'new words' };
    const other = ruleFor('/open/**');
    const second = await start({ allow: [other, moved] });
    expect(requestsOf(second, moved)).toEqual([1, 1]);
    expect(requestsOf(second, moved, 'POST')).toEqual([0, 0]);
    expect(requestsOf(second, other)).toEqual([0, 0]);
  });

  it('[P30] has the days on which a replica was up, however many replicas were', async () => {
    const today = Math.floor(Date.now() / DAY_MS);
    const goTo = startDays();
    const [a, b] = await startMany(2, [open]);
    a.ruleUsed(open, 'GET', true);
    for (const day of [0, 2, 3, 10]) {
      goTo(day);
      await a.sync();
      await b.sync();
    }
    for (const replica of [a, b]) {
      expect(useOf(replica, usedRule(open, 'GET'))).toMatchObject({
        days: 3,
        recentDays: 1,
        firstDay: today,
        lastUsed: today,
      });
    }
  });

  it('[P30] does not observe a rule while no replica has it', async () => {
    const goTo = startDays();
    const settings = { allow: [ruleFor('/other')] };
    const replica = await start(settings);
    for (const day of [1, 2, 3]) {
      goTo(day);
      await replica.sync();
    }
    settings.allow.push(open);
    await replica.sync();
    expect(daysOf(replica, open)).toBe(0);
    goTo(4);
    await replica.sync();
    expect(daysOf(replica, open)).toBe(1);
    expect(daysOf(replica, settings.allow[0])).toBe(4);
  });

  it('[P30] lets a replica whose clock is 40 days ahead change no day', async () => {
    const [a, b] = await startMany(2, [open]);
    for (let i = 0; i < 300; i += 1) {
      a.ruleUsed(open, 'GET', true);
    }
    await a.sync();
    const now = Date.now();
    jest.spyOn(Date, 'now').mockReturnValue(now + 40 * DAY_MS);
    b.ruleUsed(open, 'GET', true);
    await b.sync();
    jest.restoreAllMocks();
    const later = await start({ allow: [open] });
    expect(requestsOf(later, open)).toEqual([301, 301]);
    expect(useOf(later, usedRule(open, 'GET'))).toMatchObject({
      firstDay: Math.floor(now / DAY_MS),
      lastUsed: Math.floor(now / DAY_MS),
    });
  });

  it('[P109] deletes nothing and begins no day while the clock of the database is days away, and warns once an hour', async () => {
    await database.setClock(0);
    const a = await start({ allow: [open] });
    a.ruleUsed(open, 'GET', true);
    await a.sync();
    const today = Math.floor(Date.now() / DAY_MS);
    const [row] = await knex(TABLE);
    await knex(TABLE).insert(times(30, i => ({ ...row, day: today - 1 - i })));
    let c = a;
    // The first warning is of the replica that was up before.
    for (const [days, warnings] of [
      [40, 2],
      [-40, 1],
      [2, 1],
    ]) {
      log.length = 0;
      await database.setClock(days);
      a.ruleUsed(open, 'GET', true);
      await a.sync();
      await a.sync();
      // Which clock is wrong is not known here, so the requests wait in memory.
      c = await start({ allow: [open] });
      c.ruleUsed(open, 'GET', true);
      await expect(c.sync()).rejects.toThrow('The day is not known');
      expect([c.isComplete, requestsOf(c, open)]).toEqual([false, [1, 1]]);
      const day = new Date((today + days) * DAY_MS).toISOString().slice(0, 10);
      expect(log).toEqual(
        times(warnings, () =>
          expect.stringContaining(`it is ${day} by the clock of`),
        ),
      );
    }
    log.length = 0;
    const now = performance.now();
    const anHourLater = jest
      .spyOn(performance, 'now')
      .mockReturnValue(now + 3_600_000);
    await a.sync();
    await a.sync();
    expect(log).toHaveLength(1);
    // The clock of the database follows this one.
    anHourLater.mockRestore();
    const days: number[] = await knex(TABLE).orderBy('day').pluck('day');
    expect(days).toEqual(times(31, i => today - 30 + i));
    // By this clock, one of the days is over for 31 days.
    await database.setClock(1);
    await c.sync();
    expect([c.isComplete, requestsOf(c, open)]).toEqual([true, [34, 34]]);
  }, 60_000);

  it('stays at its day if the clock of the database goes back', async () => {
    const goTo = startDays();
    const replica = await start({ allow: [open] });
    for (const day of [1, 0, 1]) {
      goTo(day);
      replica.ruleUsed(open, 'GET', true);
      await replica.sync();
    }
    expect(requestsOf(replica, open)).toEqual([3, 3]);
    expect(requestsOf(await start({ allow: [open] }), open)).toEqual([3, 3]);
  });

  it('[P29] has the requests of a rule, and reads the days before yesterday once a day', async () => {
    const goTo = startDays();
    const gate = await database.openGate();
    const [a, b] = [await start({ allow: [open] }, gate), await start({})];
    const use = async (replica: Usage, requests: number) => {
      for (let i = 0; i < requests; i += 1) {
        replica.ruleUsed(open, 'GET', true);
      }
      await replica.sync();
    };
    const requestsAt = (replica: Usage) =>
      useOf(replica, usedRule(open, 'GET'))!.requests;
    expect(requestsAt(a)).toBe(0);
    b.ruleUsed(ruleFor('/other'), 'GET', true);
    await use(b, 2);
    await use(a, 1);
    expect(requestsAt(a)).toBe(3);
    goTo(2);
    await use(a, 4);
    await use(b, 5);
    await use(a, 0);
    a.ruleUsed(open, 'GET', true);
    expect(requestsAt(a)).toBe(3 + 10);
    goTo(3);
    await use(b, 1);
    await use(a, 0);
    expect(requestsAt(a)).toBe(3 + 9 + 2);
    expect(requestsAt(await start({ allow: [open] }))).toBe(3 + 9 + 2);
    goTo(31);
    await use(a, 0);
    // The requests of the first day are older than 30 days.
    expect(requestsAt(a)).toBe(9 + 2);
    const firstDaysRead: unknown[] = [];
    gate.knex.on('query', ({ sql, bindings }) => {
      if (/^select .* from .api_gate_usage/.test(sql)) {
        firstDaysRead.push(bindings[0]);
      }
    });
    await use(a, 1);
    await use(a, 1);
    const yesterday = Math.floor(Date.now() / DAY_MS) - 1;
    expect(firstDaysRead).toEqual([yesterday, yesterday]);
  });

  it('reads the history of a rule from a driver that returns counts as text', async () => {
    const goTo = startDays();
    const other = await start({ allow: [open] });
    for (const day of [0, 1]) {
      goTo(day);
      other.ruleUsed(open, 'GET', true);
      other.ruleUsed(open, 'GET', true);
      await other.sync();
    }
    const gate = await database.openGate();
    const run = gate.run.bind(gate);
    const counts = ['days', 'recentDays', 'requests', 'anonymous'];
    jest.spyOn(gate, 'run').mockImplementation(async statement => {
      const answer = await run(statement);
      return JSON.parse(JSON.stringify(answer), (key, value) =>
        counts.includes(key) ? String(value) : value,
      );
    });
    const replica = await start({}, gate);
    expect(useOf(replica, usedRule(open, 'GET'))).toMatchObject({
      ...{ days: 1, recentDays: 1, requests: 4, anonymous: 4 },
    });
  });

  it('stores uses by the names and keys that replicas of other releases have', async () => {
    const replica = await start({
      ...{ allow: [open], isEnforced: false },
      externalTokens: [{ subject: 'ci', isRestricted: false }],
    });
    const request = { plugin: 'hello', method: 'GET', path: '/x' };
    replica.worked({ ...request, status: 200 });
    const presented = { plugin: 'hello', method: 'GET', reason: 'revoked' };
    replica.worked(presented);
    replica.worked({ ...presented, reason: 'only', subject: 'ci' });
    replica.tokenCalled({ ...request, subject: 'ci', path: ODD_PATH });
    replica.tokenUsed('ci', 'hello');
    replica.tokenUsed('ci', 'other', 'delegation');
    await replica.sync();
    const rows = await knex(TABLE).select();
    expect(
      rows.map(row => [row.kind, row.name, row.plugin].join('|')).sort(),
    ).toEqual([
      'call|ci GET ?|hello',
      'call|ci|',
      'delegation|ci|',
      'delegation|ci|other',
      'rule|GET hello/open|',
      'token|ci|',
      'token|ci|hello',
      'worked|GET /x 200|hello',
      'worked|GET only ci|hello',
      'worked|GET revoked|hello',
      'worked||',
    ]);
    expect(rows.map(({ hash }) => hash)).toContain(
      '2aae99b26a66a6605c32605ae477556a6e9aa80675c34c7def5a57c40215a9a3',
    );
  });

  it('[P31] keeps 30 days and today, in one row of all replicas for each day', async () => {
    const goTo = startDays();
    const all = await startMany(5, [open]);
    for (let day = 0; day <= 32; day += 1) {
      goTo(day);
      all.forEach(replica => replica.ruleUsed(open, 'GET', true));
      // All replicas find the same days over at the same time.
      await Promise.all(all.map(replica => replica.sync()));
    }
    // The first replica has read them before anyone has deleted old rows.
    expect(daysOf(all[0], open)).toBe(30);
    const [{ rows }] = await knex(TABLE).count({ rows: '*' });
    expect(Number(rows)).toBe(31);
    expect(all.every(({ isComplete }) => isComplete)).toBe(true);
    const later = await start({ allow: [open] });
    expect(requestsOf(later, open)).toEqual([31 * 5, 31 * 5]);
    expect(daysOf(later, open)).toBe(30);
    expect(log).toEqual([]);
  }, 60_000);

  it('has the requests of other replicas where old rows can not be deleted', async () => {
    const other = await start({ allow: [open] });
    other.ruleUsed(open, 'GET', true);
    await other.sync();
    const gate = await database.openGate();
    const run = gate.run.bind(gate);
    jest.spyOn(gate, 'run').mockImplementation(async statement => {
      if (/^delete/.test(String(statement(gate.knex)))) {
        throw new Error('permission denied');
      }
      return run(statement);
    });
    const replica = await start({ allow: [open] }, gate);
    expect(replica.isComplete).toBe(false);
    await replica.sync();
    expect(requestsOf(replica, open)).toEqual([1, 1]);
    expect(replica.isComplete).toBe(true);
  });

  it('[P29] records what it could not write on the day on which the database answers again', async () => {
    const goTo = startDays();
    const replica = await start({ allow: [open] });
    const add = jest.spyOn(UsageTable.prototype, 'add');
    add.mockRejectedValue(new Error('No answer'));
    for (const day of [0, 1, 2, 3]) {
      goTo(day);
      replica.ruleUsed(open, 'GET', true);
      await expect(replica.sync()).rejects.toThrow('No answer');
    }
    add.mockRestore();
    await replica.sync();
    expect([requestsOf(replica, open), replica.isComplete]).toEqual([
      [4, 4],
      true,
    ]);
    const days = await knex(TABLE).where('requests', '>', 0).pluck('day');
    expect(days).toEqual([Math.floor(Date.now() / DAY_MS)]);
  });

  it('[P31] has no more rows a day than rules, their methods and tokens, and 200 subjects of other tokens, for each plugin that these or their handlers call', async () => {
    const externalTokens = [{ subject: 'ci', isRestricted: false }];
    const allow = [ruleFor('/a', ['GET', 'POST']), ruleFor('/b/**')];
    const settings = { allow, externalTokens };
    const all = [await start(settings), await start(settings)];
    for (const [n, replica] of all.entries()) {
      replica.tokenUsed('external:\u0000', 'hello');
      replica.tokenUsed('x'.repeat(251), 'hello');
      replica.tokenUsed('ci', 'hello');
      // None of them takes the place of another subject once it is recorded.
      await replica.sync();
      for (let i = 0; i < 300; i += 1) {
        replica.tokenUsed(`external:${n}-${i}`, 'hello');
        replica.tokenUsed(`external:${n}-${i}`, 'other', 'delegation');
      }
      replica.ruleUsed(allow[0], 'HEAD', true);
      await replica.sync();
      await all[1].sync();
    }
    const used = await knex(TABLE).distinct('kind', 'name', 'plugin');
    // The token of the configuration has three rows, and one at its plugin. The sum of all further subjects is beside those of the others.
    expect(used).toHaveLength(3 + 4 + 2 * (MAX_OTHER_NAMES + 1));
    const further = useOf(all[1], usedBy('token', '…', 'hello'));
    expect(further?.requests).toBe(600 + 4 - 200);
    const furtherCalls = useOf(all[1], usedBy('delegation', '…', 'other'));
    expect(furtherCalls?.requests).toBe(600 - 200);
  }, 60_000);

  it('[P31] names at most 50 paths of each plugin that worked in report-only, of 10,000 requests, while the database hangs', async () => {
    const gate = await database.openGate();
    const replica = await start({}, gate);
    let fail = (_: Error) => {};
    const hanging = new Promise<never>((_, reject) => {
      fail = reject;
    });
    jest.spyOn(gate, 'run').mockReturnValue(hanging);
    const exchange = replica.sync();
    for (let i = 0; i < 10_000; i += 1) {
      const seen = { path: `/${i % 2_000}`, status: 200 };
      replica.worked({ plugin: 'hello', method: 'GET', ...seen });
    }
    const named = [...replica.read().values()].map(workedRequestOf);
    expect(named).toHaveLength(MAX_NAMES_OF_GROUP + 1);
    expect(named[0]).toMatchObject({ path: '/0', status: 200 });
    const further = usedWorked({ plugin: 'hello', method: 'GET' });
    expect(useOf(replica, further)?.requests).toBe(
      10_000 - 5 * MAX_NAMES_OF_GROUP,
    );
    // A plugin that answers any path does not hide the others.
    const ofOther = {
      ...{ plugin: 'other', method: 'GET' },
      ...{ path: '/0', status: 200 },
    };
    replica.worked(ofOther);
    expect(useOf(replica, usedWorked(ofOther))?.requests).toBe(1);
    // The verdict about enforcing needs the reason.
    const ofToken = { plugin: 'hello', method: 'GET', reason: 'only' };
    replica.worked({ ...ofToken, subject: 'ci' });
    expect(useOf(replica, usedWorked(ofToken))?.requests).toBe(1);
    fail(new Error('gone'));
    await expect(exchange).rejects.toThrow('gone');
  });

  it.each([
    ['a plugin that worked', usedWorked, 'worked'],
    ['a configured token', usedCall, 'tokenCalled'],
  ] as const)(
    'names at most 50 paths of %s, over all replicas',
    async (_, usedIn, count) => {
      const externalTokens = [{ subject: 'ci', isRestricted: false }];
      const a = await start({ externalTokens });
      const b = await start({ externalTokens });
      const further = { subject: 'ci', plugin: 'hello', method: 'GET' };
      const requestTo = (i: number) => ({
        ...further,
        ...{ path: `/${i}`, status: 200 },
      });
      for (let i = 0; i < MAX_NAMES_OF_GROUP; i += 1) {
        a[count](requestTo(i));
      }
      await a.sync();
      await b.sync();
      b[count](requestTo(0));
      b[count](requestTo(MAX_NAMES_OF_GROUP));
      expect(useOf(b, usedIn(requestTo(0)))?.requests).toBe(2);
      expect(useOf(b, usedIn(further))?.requests).toBe(1);
    },
  );

  it('[P82] names at most 50 paths of each configured token, of 10,000 requests, while the database hangs', async () => {
    const gate = await database.openGate();
    const externalTokens = [
      { subject: 'ci', isRestricted: false },
      { subject: 'old', isRestricted: false },
    ];
    const replica = await start({ externalTokens }, gate);
    let fail = (_: Error) => {};
    const hanging = new Promise<never>((_, reject) => {
      fail = reject;
    });
    jest.spyOn(gate, 'run').mockReturnValue(hanging);
    const exchange = replica.sync();
    const call = { subject: 'ci', plugin: 'hello', method: 'GET' };
    for (let i = 0; i < 10_000; i += 1) {
      replica.tokenCalled({ ...call, path: `/${i % 2_000}` });
      replica.tokenCalled({ ...call, subject: `external:${i}`, path: '/x' });
    }
    const ofCi = { ...call, subject: 'old', path: '/0' };
    replica.tokenCalled(ofCi);
    const calls = [...replica.read().values()].filter(use => use.requests > 0);
    expect(calls).toHaveLength(MAX_NAMES_OF_GROUP + 2);
    expect(calls.map(tokenCallOf)).toEqual(
      expect.arrayContaining([call, { ...call, path: '/0' }, ofCi]),
    );
    expect(useOf(replica, usedCall(call))).toMatchObject({
      requests: 10_000 - 5 * MAX_NAMES_OF_GROUP,
      anonymous: 0,
    });
    fail(new Error('gone'));
    await expect(exchange).rejects.toThrow('gone');
  });

  it('adds up over replicas what worked in report-only, and the days of it', async () => {
    const goTo = startDays();
    const reporting = { isEnforced: false };
    const [a, b] = [await start(reporting), await start(reporting)];
    const request = {
      ...{ plugin: 'hello', method: 'GET' },
      ...{ path: '/a/b', status: 200 },
    };
    a.worked(request);
    b.worked(request);
    await a.sync();
    goTo(1);
    await b.sync();
    await b.sync();
    const use = useOf(b, usedWorked(request))!;
    expect(use.requests).toBe(2);
    expect(workedRequestOf(use)).toEqual(request);
    expect(useOf(b, REPORT_ONLY)).toMatchObject({ days: 1, requests: 0 });
  });

  it('[P29] counts in memory while the database is down, and stores all of it later', async () => {
    let isDown = true;
    const reachable = await database.openGate();
    const gate: DatabaseConnections = Object.create(reachable, {
      knex: {
        get() {
          if (isDown) {
            throw new Error('connection refused');
          }
          return knex;
        },
      },
    });
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
    expect(requestsOf(await start({ allow: [open] }), open)).toEqual([1, 1]);

    // The table is lost while the replica is up, and is made again.
    await knex.schema.dropTable(TABLE);
    replica.ruleUsed(open, 'GET', true);
    await expect(replica.sync()).rejects.toThrow();
    expect(replica.isComplete).toBe(false);
    expect(requestsOf(replica, open)).toEqual([2, 2]);
    await replica.sync();
    expect(replica.isComplete).toBe(true);
  });

  it('[P29] waits no longer than six seconds for a database that hangs at the start, and five when it stops', async () => {
    const replica = createReplica({ allow: [open] });
    const gate = await database.openGate();
    jest.spyOn(gate, 'run').mockReturnValue(new Promise(() => {}));
    jest.useFakeTimers();
    const done: string[] = [];
    replica.follow(gate).then(() => done.push('started'));
    await jest.advanceTimersByTimeAsync(5_999);
    expect(done).toEqual([]);
    await jest.advanceTimersByTimeAsync(1);
    expect(done).toEqual(['started']);
    replica.ruleUsed(open, 'GET', true);
    expect([requestsOf(replica, open), replica.isComplete]).toEqual([
      [1, 1],
      false,
    ]);
    replica.stop().then(() => done.push('stopped'));
    await jest.advanceTimersByTimeAsync(4_999);
    expect(done).toEqual(['started']);
    await jest.advanceTimersByTimeAsync(1);
    expect(done).toEqual(['started', 'stopped']);
    replicas = [];
  });

  it('logs once that the database stays out of reach, and once that it is back', async () => {
    const replica = createReplica({ allow: [open] });
    const gate = await database.openGate();
    jest.spyOn(gate.knex, 'from').mockImplementation(() => {
      throw new Error('connection refused');
    });
    jest.useFakeTimers();
    await replica.follow(gate);
    await jest.advanceTimersByTimeAsync(300_000);
    jest.spyOn(replica, 'sync').mockResolvedValue();
    await jest.advanceTimersByTimeAsync(100_000);
    expect(log).toEqual([
      'API gate keeps no record of which rules and tokens are used. connection refused',
      'API gate can not store which rules and tokens are used: it counts in memory meanwhile, and its report is not complete',
      'API gate stores again which rules and tokens are used',
    ]);
  });

  it('logs in one line that a table of another form is in its place, and counts in memory', async () => {
    await knex.schema.createTable(TABLE, table => {
      for (const name of ['used', 'process', 'kind', 'name', 'plugin']) {
        table.string(name).notNullable();
      }
      table.integer('day').notNullable();
      table.bigInteger('requests');
      table.bigInteger('anonymous');
    });
    const replica = await start({ allow: [open] });
    replica.ruleUsed(open, 'GET', true);
    expect([replica.isComplete, requestsOf(replica, open)]).toEqual([
      false,
      [1, 1],
    ]);
    expect(log).toEqual([
      expect.stringMatching(
        /^API gate keeps no record of which rules and tokens are used\. The table api_gate_usage [^\n]* lacks: hash\. Drop it, and create it with: create table [^\n]*;$/,
      ),
    ]);
    await knex.schema.dropTable(TABLE);
    await replica.sync();
    expect(replica.isComplete).toBe(true);
  });

  it('creates its table for twenty replicas at once', async () => {
    await startMany(20, [open]);
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

  it('does nothing, and creates no table, if it is off', async () => {
    const replica = await start({ allow: [open], usage: false });
    replica.ruleUsed(open, 'GET', true);
    replica.tokenUsed('ci', 'hello');
    await replica.sync();
    expect([...replica.read()]).toEqual([]);
    expect(await knex.schema.hasTable(TABLE)).toBe(false);
  });

  if (kind === 'PostgreSQL') {
    it('[P29] counts nothing twice, and loses nothing, where each answer takes two seconds', async () => {
      const { connection } = knex.client.config;
      const { hostname, port } = new URL(process.env.API_GATE_TEST_POSTGRES!);
      const proxy = await FaultyProxy.start({
        host: hostname,
        port: Number(port),
      });
      const client = knexFactory({
        client: 'pg',
        connection: { ...connection, port: proxy.port },
      });
      const gate = await database.openGate({ as: client });
      const slow = await start({ allow: twenty }, gate);
      const other = await start({ allow: twenty });
      proxy.set('slow', 2_000);
      let requests = 0;
      const using = setInterval(() => {
        slow.ruleUsed(twenty[requests % 20], 'GET', false);
        requests += 1;
      }, 5);
      const sumAt = (replica: Usage) =>
        [...replica.read().values()].reduce(
          (sum, use) => sum + use.requests,
          0,
        );
      let isOver = false;
      const exchanging = Promise.all([slow.sync(), slow.sync()]).finally(() => {
        clearInterval(using);
        isOver = true;
      });
      const reading = async () => {
        while (!isOver) {
          await other.sync();
          expect([sumAt(slow), sumAt(other) <= requests]).toEqual([
            requests,
            true,
          ]);
        }
      };
      await Promise.all([exchanging, reading()]);
      await slow.stop();
      await other.sync();
      expect(sumAt(other)).toBe(requests);
      await client.destroy();
      proxy.stop();
    }, 60_000);
  }
});

it('adds to the counts in the table on MySQL, too', async () => {
  const knex = knexFactory({ client: 'mysql2' });
  const statements: string[] = [];
  const database = {
    run: async (statement: (knex: Knex) => Knex.QueryBuilder) =>
      statements.push(String(statement(knex))),
  };
  const table = new UsageTable(database as never);
  const count = { ...usedRule(open, 'GET'), requests: 2, anonymous: 1 };
  await table.add(20_000, [count], () => {});
  expect(statements).toEqual([
    expect.stringMatching(
      /^insert into `api_gate_usage` \(.*\) values \(.*\) on duplicate key update `requests` = `api_gate_usage`\.`requests` \+ values\(`requests`\),`anonymous` = `api_gate_usage`\.`anonymous` \+ values\(`anonymous`\)$/,
    ),
  ]);
});
