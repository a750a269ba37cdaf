import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { createReloadableConfig } from '../__testUtils__/reloadableConfig';
import { PolicySource } from './PolicySource';

const HOUR = 60 * 60 * 1000;

function create(apiGate: JsonObject) {
  const lines: string[] = [];
  const record = (level: string) => (message: string) => {
    lines.push(`${level}: ${message}`);
  };
  const logger = {
    error: record('error'),
    warn: record('warn'),
    info: record('info'),
    debug: record('debug'),
    child: () => logger,
  } as LoggerService;
  const withGate = (changed: JsonObject) => ({
    backend: { baseUrl: 'http://localhost' },
    auth: { apiGate: changed },
  });
  const { config, change } = createReloadableConfig(withGate(apiGate));
  const source = new PolicySource({ config, logger });
  const enforced = jest.fn();
  source.onEnforced(enforced);
  source.start();
  return {
    source,
    enforced,
    take: () => lines.splice(0),
    write: (changed: JsonObject) => change(withGate(changed)),
  };
}

describe('PolicySource', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: new Date('2026-06-01T00:00:00Z') });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('logs every hour that nothing is refused, until the end of report-only', () => {
    const { source, enforced, take } = create({
      mode: 'report-only',
      until: '2026-06-01T02:30:00Z',
    });
    const warning =
      'warn: API gate refuses nothing: auth.apiGate.mode is report-only until 2026-06-01T02:30:00.000Z';
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
      'warn: API gate refuses from now on: auth.apiGate.until has passed',
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
    expect(take()).toHaveLength(1);
    jest.advanceTimersByTime(HOUR);
    expect(take()).toEqual([
      expect.stringMatching(/^error: .*auth\.apiGate\.allow must be a list/),
    ]);
    write({});
    expect(source.problem).toBeUndefined();
    expect(take()).toHaveLength(1);
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

  it('does not go back to report-only before a restart', () => {
    const { source, take, write } = create({});
    write({ mode: 'report-only' });
    expect(source.current.isEnforced).toBe(true);
    expect(source.needsRestart).toEqual(['auth.apiGate.mode']);
    expect(take()).toEqual([
      'warn: auth.apiGate.mode has changed, and takes effect after a restart',
    ]);
    write({});
    expect(source.needsRestart).toEqual([]);
  });

  it('does not start with a wrong value', () => {
    expect(() => create({ allow: 'all' })).toThrow('auth.apiGate.allow');
  });
});
