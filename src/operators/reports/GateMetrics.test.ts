import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { exportMetrics } from '../../__tests__/__testUtils__/exportMetrics';
import { createReloadableConfig } from '../../__tests__/__testUtils__/reloadableConfig';
import { PolicySource } from '../../settings/PolicySource';
import { GateMetrics } from './GateMetrics';

const DAY_S = 24 * 60 * 60;
const A_YEAR_S = 365 * DAY_S;

const logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => logger,
} as LoggerService;

const withGate = (apiGate: JsonObject) => ({
  backend: { baseUrl: 'http://localhost' },
  auth: { apiGate },
});

/** Returns the instant that is some days from now, as `until` takes it. */
const inDays = (days: number) =>
  new Date(Date.now() + days * DAY_S * 1000).toISOString();

const rule = (path: string, until?: string) => ({
  plugin: 'a',
  path,
  ...(until && { until }),
});

let stop: () => Promise<void>;
afterEach(() => stop());

/** Exports the gauges of a real policy source by the exporter that Backstage documents. */
async function start(apiGate: JsonObject) {
  const exported = await exportMetrics();
  stop = exported.stop;
  const { config, change } = createReloadableConfig(withGate(apiGate));
  const source = new PolicySource({ config, logger });
  const usage = { isComplete: true, isOn: true, isShared: true };
  const gateMetrics = new GateMetrics({
    files: { countNewer: () => 1 },
    revocations: { missing: 3, size: 0, staleness: 0 },
    source,
    usage,
  });
  return {
    gateMetrics,
    source,
    usage,
    write: (changed: JsonObject) => change(withGate(changed)),
    async scrape() {
      const { series } = await exported.scrape();
      return series.map(
        ({ name, labels: { otel_scope_name: _, ...labels }, value }) => ({
          name,
          labels,
          value,
        }),
      );
    },
    async valueOf(name: string) {
      const found = (await this.scrape()).filter(each => each.name === name);
      expect(found).toHaveLength(1);
      return found[0].value;
    },
  };
}

describe('the gauges', () => {
  it('[P44] have one series each, without attributes and with finite values, after two reloads that remove a rule with until', async () => {
    const gate = await start({ allow: [rule('/a', inDays(1))] });
    const names = (await gate.scrape()).map(({ name }) => name).sort();
    expect(names).toEqual([
      'api_gate_policy_files_newer',
      'api_gate_policy_hash',
      'api_gate_policy_needs_restart',
      'api_gate_policy_rejected',
      'api_gate_report_only_ends_in',
      'api_gate_revocations_held',
      'api_gate_revocations_missing',
      'api_gate_revocations_staleness',
      'api_gate_rules_ends_in',
      'api_gate_up',
      'api_gate_usage_unknown',
    ]);
    gate.write({ allow: [rule('/a', inDays(1)), rule('/b', inDays(2))] });
    await gate.scrape();
    gate.write({ allow: [rule('/c')] });
    const series = await gate.scrape();
    expect(series.map(({ name }) => name).sort()).toEqual(names);
    for (const { labels, value } of series) {
      expect(labels).toEqual({});
      expect(Number.isFinite(value)).toBe(true);
    }
  });

  it.each([
    ['1 while the gate refuses', {}, 1],
    ['0 in report-only', { mode: 'report-only', until: inDays(1) }, 0],
    [
      '1 once report-only has ended',
      { mode: 'report-only', until: inDays(-1) },
      1,
    ],
  ])('[P71] have api_gate.up as %s', async (_, apiGate, expected) => {
    const gate = await start(apiGate);
    expect(await gate.valueOf('api_gate_up')).toBe(expected);
  });

  it('have the number of files that the backend has not read', async () => {
    const gate = await start({});
    expect(await gate.valueOf('api_gate_policy_files_newer')).toBe(1);
  });

  it.each([
    ['1 while the record of use lacks requests', {}, 1],
    ['0 once it has all', { isComplete: true }, 0],
    ['0 without a record', { isOn: false }, 0],
    ['0 without a database, where it never has all', { isShared: false }, 0],
  ])('have api_gate.usage.unknown as %s', async (_, usage, expected) => {
    const gate = await start({});
    Object.assign(gate.usage, { isComplete: false, ...usage });
    expect(await gate.valueOf('api_gate_usage_unknown')).toBe(expected);
  });

  it('have the hash of the policy in force as a number', async () => {
    const gate = await start({ allow: [] });
    const before = await gate.valueOf('api_gate_policy_hash');
    expect(before.toString(16).padStart(12, '0')).toBe(
      gate.source.current.hash,
    );
    gate.write({ allow: [rule('/a')] });
    const after = await gate.valueOf('api_gate_policy_hash');
    expect(after).not.toBe(before);
    expect(after.toString(16).padStart(12, '0')).toBe(gate.source.current.hash);
    gate.write({ allow: [] });
    expect(await gate.valueOf('api_gate_policy_hash')).toBe(before);
  });

  it('have whether the configuration is rejected', async () => {
    const gate = await start({ allow: [] });
    expect(await gate.valueOf('api_gate_policy_rejected')).toBe(0);
    gate.write({ allow: [rule('no slash')] });
    expect(await gate.valueOf('api_gate_policy_rejected')).toBe(1);
    gate.write({ allow: [] });
    expect(await gate.valueOf('api_gate_policy_rejected')).toBe(0);
  });

  it('have the number of settings that need a restart', async () => {
    const gate = await start({});
    expect(await gate.valueOf('api_gate_policy_needs_restart')).toBe(0);
    gate.write({ cookie: { name: 'other' }, credentialHeader: 'X-Other' });
    expect(await gate.valueOf('api_gate_policy_needs_restart')).toBe(2);
    gate.write({});
    expect(await gate.valueOf('api_gate_policy_needs_restart')).toBe(0);
  });
});

describe('[P37] api_gate.rules.ends_in', () => {
  it.each<[string, string[], number]>([
    ['the time until the first rule ends', [inDays(9), inDays(2)], 2 * DAY_S],
    ['0 once a rule has ended', [inDays(-1), inDays(2)], 0],
    ['a year at most', [inDays(800)], A_YEAR_S],
    ['a year where no rule ends', [], A_YEAR_S],
  ])('has %s', async (_, ends, expected) => {
    const gate = await start({
      allow: [rule('/'), ...ends.map((end, i) => rule(`/${i}`, end))],
    });
    const value = await gate.valueOf('api_gate_rules_ends_in');
    expect(value).toBeLessThanOrEqual(expected);
    expect(value).toBeGreaterThan(expected - 60);
  });
});

describe('api_gate.report_only.ends_in', () => {
  it.each<[string, JsonObject, number]>([
    [
      'the time until report-only ends',
      { mode: 'report-only', until: inDays(2) },
      2 * DAY_S,
    ],
    ['a year at most', { mode: 'report-only', until: inDays(800) }, A_YEAR_S],
    [
      'a year where report-only does not end',
      { mode: 'report-only' },
      A_YEAR_S,
    ],
    [
      'a year once it has ended',
      { mode: 'report-only', until: inDays(-1) },
      A_YEAR_S,
    ],
    ['a year where the rules refuse', {}, A_YEAR_S],
  ])('has %s', async (_, apiGate, expected) => {
    const gate = await start(apiGate);
    const value = await gate.valueOf('api_gate_report_only_ends_in');
    expect(value).toBeLessThanOrEqual(expected);
    expect(value).toBeGreaterThan(expected - 60);
  });
});
