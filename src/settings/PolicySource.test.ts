import type {
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import type { JsonArray, JsonObject } from '@backstage/types';
import { createReloadableConfig } from '../__tests__/__testUtils__/reloadableConfig';
import { PolicySource } from './PolicySource';

const HOUR = 60 * 60 * 1000;

const withGate = (apiGate: JsonObject, externalAccess: JsonArray = []) => ({
  backend: { baseUrl: 'http://localhost', auth: { externalAccess } },
  auth: { apiGate },
});

function create(...settings: Parameters<typeof withGate>) {
  const lines: string[] = [];
  const fields: unknown[] = [];
  const record = (level: string) => (message: string, meta?: unknown) => {
    lines.push(`${level}: ${message}`);
    fields.push(meta);
  };
  const logger = {
    error: record('error'),
    warn: record('warn'),
    info: record('info'),
    debug: record('debug'),
    child: () => logger,
  } as LoggerService;
  const { config, change } = createReloadableConfig(withGate(...settings));
  const source = new PolicySource({ config, logger });
  const enforced = jest.fn();
  source.onEnforced(enforced);
  source.start();
  return {
    source,
    enforced,
    take: () => lines.splice(0),
    /** The fields of the lines. */
    fields,
    write: (...changed: Parameters<typeof withGate>) =>
      change(withGate(...changed)),
    /** Takes `auth.apiGate` out of the configuration. */
    removeBlock: () => change({ backend: withGate({}).backend }),
  };
}

describe('PolicySource', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => jest.useRealTimers());

  it('logs every hour that no rule refuses anything, until the end of report-only', () => {
    const { source, enforced, take } = create({
      mode: 'report-only',
      until: '2026-06-01T02:30:00Z',
    });
    const warning =
      'warn: API gate refuses only ended sessions: auth.apiGate.mode is report-only until 2026-06-01T02:30:00.000Z';
    expect(take()).toEqual([warning]);
    jest.advanceTimersByTime(2 * HOUR);
    expect(take()).toEqual([warning, warning]);
    expect(enforced).not.toHaveBeenCalled();
    expect(source.current.isEnforced).toBe(false);
    jest.advanceTimersByTime(HOUR / 2);
    expect(source.current.isEnforced).toBe(true);
    expect(enforced).toHaveBeenCalledTimes(1);
    jest.advanceTimersByTime(2 * HOUR);
    expect(take()).toEqual([
      'warn: API gate enforces, since report-only has ended at 2026-06-01T02:30:00.000Z: remove auth.apiGate.mode and auth.apiGate.until; to have the gate refuse nothing by its rules again, restart the backend with APP_CONFIG_auth_apiGate_mode=report-only APP_CONFIG_auth_apiGate_until=2999-01-01',
    ]);
    // The gate enforces permanently, whatever the clock shows: the barriers of plugins are open.
    jest.setSystemTime(new Date('2026-06-01T00:00:00Z'));
    expect(source.current.isEnforced).toBe(true);
  });

  it('waits for an end that is farther than a timer reaches', () => {
    const { source, enforced } = create({
      mode: 'report-only',
      until: '2026-12-31',
    });
    jest.advanceTimersByTime(100 * 24 * HOUR);
    expect(enforced).not.toHaveBeenCalled();
    jest.advanceTimersByTime(120 * 24 * HOUR);
    expect(source.current.isEnforced).toBe(true);
    expect(enforced).toHaveBeenCalledTimes(1);
  });

  it('keeps the policy at a wrong value, and logs it until it is fixed', () => {
    const { source, take, write } = create({});
    const before = source.current;
    write({ allow: 'all' });
    write({ allow: 'all' });
    expect(source.current).toBe(before);
    expect(source.problem).toMatch(/^auth\.apiGate\.allow must be a list/);
    expect(take()).toEqual([
      expect.stringMatching(
        /^error: API gate keeps its policy, as the new configuration is wrong: auth\.apiGate\.allow must be a list/,
      ),
    ]);
    jest.advanceTimersByTime(HOUR);
    expect(take()).toEqual([
      expect.stringMatching(
        /^error: .* as the configuration is wrong: auth\.apiGate\.allow must be a list/,
      ),
    ]);
    write({});
    expect(source.problem).toBeUndefined();
    expect(take()).toHaveLength(1);
  });

  it('[P100] keeps the policy without auth.apiGate, and logs it every hour', () => {
    const settings = {
      mode: 'report-only',
      operators: ['user:default/jane'],
    };
    const { source, take, removeBlock, write } = create(settings);
    const outcomes: unknown[] = [];
    source.onReload(outcome => outcomes.push(outcome));
    const before = source.current;
    take();
    const gone = expect.stringMatching(
      /^error: API gate keeps its policy, as the (new )?configuration is wrong: auth\.apiGate is gone from mock-config,/,
    );
    removeBlock();
    expect(take()).toEqual([gone]);
    expect(source.current).toBe(before);
    expect(outcomes).toEqual([{ problem: source.problem }]);
    jest.advanceTimersByTime(HOUR);
    expect(take()).toEqual([
      expect.stringMatching(/refuses only ended sessions/),
      gone,
    ]);
    write({ ...settings, allow: [] });
    expect(source.problem).toBeUndefined();
    write({});
    expect(source.problem).toBeUndefined();
    expect(source.current.isEnforced).toBe(true);
  });

  it('logs an error of what follows a reload, and ends nothing by it', () => {
    const { source, take, write } = create({});
    source.onReload(() => {
      throw new Error('x');
    });
    write({ allow: [{ plugin: 'a', path: '/a' }] });
    expect(source.current.config.allow).toHaveLength(1);
    expect(take()).toContain(
      'error: API gate failed to follow its configuration',
    );
  });

  it('logs every hour that no rule refuses anything, without an end of report-only', () => {
    const { source, enforced, take } = create({ mode: 'report-only' });
    const warning =
      'warn: API gate refuses only ended sessions: auth.apiGate.mode is report-only';
    expect(take()).toEqual([warning]);
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(HOUR);
    expect(take()).toEqual([warning]);
    expect(enforced).not.toHaveBeenCalled();
    source.stop();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('calls back once when the gate first enforces, and at once after that', () => {
    const { source, enforced, write } = create({ mode: 'report-only' });
    const early = jest.fn();
    source.onEnforced(early);
    write({ mode: 'report-only', allow: [{ plugin: 'a', path: '/a' }] });
    expect(source.current.isEnforced).toBe(false);
    expect(source.needsRestart).toEqual([]);
    expect(early).not.toHaveBeenCalled();
    write({});
    write({ allow: [{ plugin: 'a', path: '/a' }] });
    expect(enforced).toHaveBeenCalledTimes(1);
    expect(early).toHaveBeenCalledTimes(1);
    const late = jest.fn();
    source.onEnforced(late);
    expect(late).toHaveBeenCalledTimes(1);
  });

  it('reports each change, and each problem once', () => {
    const { source, write, fields } = create({});
    const outcomes: unknown[] = [];
    source.onReload(outcome => outcomes.push(outcome));
    write({ allow: [{ plugin: 'a', path: '/a' }] });
    expect(outcomes).toEqual([{ policy: source.current }]);
    expect(fields).toEqual([{ policy: source.current.hash }]);
    write({ allow: 'all' });
    write({ allow: 'all' });
    expect(outcomes.slice(1)).toEqual([{ problem: source.problem }]);
    expect(source.problem).toContain('auth.apiGate.allow');
  });

  it('has the lists of the configuration that is in force', () => {
    const { source, write } = create({ allow: [{ plugin: 'a', path: '/a' }] });
    const list = { path: 'auth.apiGate.allow', entries: 1 };
    expect(source.lists).toMatchObject([list]);
    write({ allow: 'all' });
    expect(source.lists).toMatchObject([list]);
    write({ allow: [] });
    expect(source.lists).toMatchObject([{ ...list, entries: 0 }]);
  });

  it('starts with a configuration that never changes', () => {
    const config = new ConfigReader(withGate({})) as RootConfigService;
    const source = new PolicySource({ config, logger: {} as LoggerService });
    expect(source.current.isEnforced).toBe(true);
    expect(source.needsRestart).toEqual([]);
  });

  it('keeps the settings of what is made at the start until a restart, and logs each once', () => {
    const { source, take, write } = create({ cookie: { name: 'first' } });
    const { config: start } = source.current;
    const restart = (key: string) =>
      `warn: auth.apiGate.${key} has changed, and takes effect after a restart`;
    const cookie = { name: 'second' };
    write({ cookie });
    expect(source.needsRestart).toEqual(['auth.apiGate.cookie']);
    expect(take()).toEqual([restart('cookie')]);
    write({ cookie, allow: [{ plugin: 'a', path: '/a' }] });
    expect(take()).toEqual([expect.stringContaining('has a new policy')]);
    expect(source.current.config.cookie).toMatchObject({ name: 'first' });
    for (const [key, value] of Object.entries({
      credentialHeader: 'X-Backstage-Token',
      foreignAuthorization: [{ plugin: 'a', path: '/a' }],
    })) {
      write({ [key]: value, cookie: { name: 'first' } });
      expect(source.needsRestart).toEqual([`auth.apiGate.${key}`]);
      expect(take()).toContain(restart(key));
      expect(source.current.config).toEqual(start);
    }
    write({ cookie: { name: 'first' } });
    expect(source.needsRestart).toEqual([]);
  });

  it('[P100] takes what a sign-out ends in addition at once, and what it no longer ends after a restart', () => {
    const { source, take, write } = create({ signOut: { providers: ['a'] } });
    const signOut = () => {
      const { providers, ...others } = source.current.config.signOut;
      return { ...others, providers: [...providers] };
    };
    const user = { scope: 'user' };
    take();
    write({ signOut: { ...user, providers: ['b', 'a'] } });
    const all = { ...user, providers: ['b', 'a'] };
    expect(signOut()).toEqual(all);
    expect(source.needsRestart).toEqual([]);
    take();
    for (const lost of [{ ...user, providers: ['a'] }, {}]) {
      write({ signOut: lost });
      expect(signOut()).toEqual(all);
      expect(source.needsRestart).toEqual(['auth.apiGate.signOut']);
    }
    expect(take()).toEqual([
      'warn: auth.apiGate.signOut has changed, and takes effect after a restart',
    ]);
  });

  describe('[P116] with limits of external tokens', () => {
    const access = (...subjects: string[]) =>
      subjects.map(subject => ({ type: 'static', options: { subject } }));
    const allowed = { subject: 'ci', only: [{ plugin: 'a', path: '/a' }] };
    const judgeBy = ({ source }: ReturnType<typeof create>, path = '/a') =>
      source.current.tokenLimits.findRefusal(
        'ci',
        { pluginId: 'a', method: 'GET', path },
        source.current.now(),
      );

    it('allows nothing from the next request on to a token whose entry is removed, with the token or without it', () => {
      const gate = create({ tokens: [allowed] }, access('ci'));
      expect(judgeBy(gate)).toBeUndefined();
      gate.write({ tokens: [] }, access('ci'));
      expect(judgeBy(gate)).toBe('restricted');
      gate.write({ tokens: [allowed] }, access('ci'));
      expect(judgeBy(gate)).toBeUndefined();
      gate.write({ tokens: [] }, access('new'));
      expect(judgeBy(gate)).toBe('restricted');
      expect(gate.source.needsRestart).toEqual([]);
    });

    it('[P100] keeps the policy where the list is gone, and has the one of a change that adds it', () => {
      const gate = create({}, access('ci'));
      expect(judgeBy(gate, '/b')).toBeUndefined();
      gate.write({ tokens: [allowed] }, access('ci'));
      expect(judgeBy(gate, '/b')).toBe('restricted');
      const before = gate.source.current;
      gate.take();
      // A list that is cut off in front of its key, and behind it.
      for (const cut of [{}, { tokens: null }]) {
        gate.write(
          { ...cut, allow: [{ plugin: 'a', path: '/x' }] },
          access('ci'),
        );
        expect(gate.source.current).toBe(before);
        expect(gate.source.problem).toBe(
          "auth.apiGate.tokens is gone from mock-config, or can't be read there, or the file ends within a line: write it again, as [] if external tokens may call nothing; to remove it, restart the backend",
        );
      }
      expect(gate.take()).toEqual([
        expect.stringMatching(
          /^error: API gate keeps its policy, .*: auth\.apiGate\.tokens is gone from mock-config/,
        ),
      ]);
      gate.write({ tokens: [] }, access('ci'));
      expect(gate.source.problem).toBeUndefined();
      expect(judgeBy(gate)).toBe('restricted');
    });
  });

  it('ignores a change elsewhere', () => {
    const { source, take, write } = create({
      allow: [{ plugin: 'a', path: '/a' }],
    });
    const before = source.current;
    write({ allow: [{ plugin: 'a', path: '/a' }] });
    expect(source.current).toBe(before);
    expect(take()).toEqual([]);
  });

  it('logs that the barrier behind a removed rule stays open', () => {
    const { take, write } = create({ allow: [{ plugin: 'a', path: '/a' }] });
    write({ allow: [] });
    expect(take()).toContainEqual(
      expect.stringMatching(/^info: .*closed \/a of the plugin a.*restart/),
    );
  });

  it('logs that of no rule that is kept', () => {
    const [first, second, third] = [
      { plugin: 'a', path: '/a' },
      { plugin: 'a', path: '/b' },
      { plugin: 'b', path: '/a' },
    ];
    const { take, write } = create({ allow: [first, second, third] });
    write({ allow: [second, third] });
    expect(take().filter(line => line.includes('closed'))).toEqual([
      "info: API gate has closed /a of the plugin a; the plugin's own auth policy behind it stays open until a restart",
    ]);
  });

  it('does not log in report-only mode that a removed rule is closed: it was not open', () => {
    const { take, write } = create({
      mode: 'report-only',
      allow: [{ plugin: 'a', path: '/a' }],
    });
    write({ mode: 'report-only', allow: [] });
    const lines = take().join();
    expect(lines).toMatch(/has a new policy/);
    expect(lines).not.toMatch(/closed/);
  });

  it('does not go back to report-only before a restart', () => {
    const { source, take, write } = create({});
    write({ mode: 'report-only' });
    expect(source.current.isEnforced).toBe(true);
    expect(source.needsRestart).toEqual(['auth.apiGate.mode']);
    expect(take()).toEqual([
      'warn: auth.apiGate.mode has changed, and takes effect after a restart',
    ]);
    write({ mode: 'report-only', allow: [{ plugin: 'a', path: '/a' }] });
    expect(take()).toEqual([expect.stringContaining('has a new policy')]);
    write({});
    expect(source.needsRestart).toEqual([]);
  });

  it('needs no restart for report-only that has ended', () => {
    const ending = { mode: 'report-only', until: '2026-06-01T02:30:00Z' };
    const { source, take, write } = create(ending);
    jest.advanceTimersByTime(3 * HOUR);
    take();
    write({ ...ending, allow: [{ plugin: 'a', path: '/a' }] });
    expect(source.current.isEnforced).toBe(true);
    expect(source.current.config.allow).toHaveLength(1);
    expect(source.needsRestart).toEqual([]);
    expect(take()).toEqual([expect.stringContaining('has a new policy')]);
  });

  describe('[P37] with rules that end', () => {
    const DAY = 24 * HOUR;
    const demo = { plugin: 'proxy', path: '/demo', until: '2026-06-20' };
    const isOpen = ({ source }: ReturnType<typeof create>) =>
      source.current.allowList.match(
        'proxy',
        'GET',
        '/demo',
        source.current.now(),
      ) !== undefined;

    it('closes at its end, and needs no timer for that', () => {
      const gate = create({ allow: [demo] });
      jest.advanceTimersByTime(19 * DAY - 1);
      expect(isOpen(gate)).toBe(true);
      jest.advanceTimersByTime(1);
      expect(isOpen(gate)).toBe(false);
      expect(gate.take()).toEqual([]);
      expect(jest.getTimerCount()).toBe(1);
      gate.source.stop();
      expect(jest.getTimerCount()).toBe(0);
    });

    it('starts with a rule that has ended, and keeps it closed', () => {
      const gate = create({ allow: [{ ...demo, until: '2026-05-01' }] });
      expect(isOpen(gate)).toBe(false);
      expect(gate.source.current.openRules).toEqual([]);
    });

    it('keeps a rule closed if the clock is set back, until a later end is written', () => {
      const gate = create({ allow: [demo, { plugin: 'a', path: '/a' }] });
      jest.setSystemTime(new Date('2026-06-20T00:00:00Z'));
      expect(isOpen(gate)).toBe(false);
      jest.setSystemTime(new Date('2026-06-10T00:00:00Z'));
      expect(isOpen(gate)).toBe(false);
      gate.write({ allow: [demo] });
      expect(isOpen(gate)).toBe(false);
      gate.write({ allow: [{ ...demo, until: '2026-06-21' }] });
      expect(isOpen(gate)).toBe(true);
    });
  });

  it('does not start with a wrong value', () => {
    expect(() => create({ allow: 'all' })).toThrow('auth.apiGate.allow');
  });
});
