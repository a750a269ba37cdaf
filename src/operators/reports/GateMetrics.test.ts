import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { exportMetrics } from '../../__tests__/__testUtils__/exportMetrics';
import { createReloadableConfig } from '../../__tests__/__testUtils__/reloadableConfig';
import { PolicySource } from '../../settings/PolicySource';
import { GateMetrics } from './GateMetrics';

const DAY_S = 24 * 60 * 60;

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
  const gateMetrics = new GateMetrics({
    revocations: { staleness: 7 },
    source,
  });
  return {
    gateMetrics,
    source,
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
      'api_gate_policy_hash',
      'api_gate_policy_rejected',
      'api_gate_revocations_staleness',
      'api_gate_up',
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

  it('have the time since the list of revocations was read', async () => {
    const gate = await start({});
    expect(await gate.valueOf('api_gate_revocations_staleness')).toBe(7);
  });
});

it('the counters begin at 0, for Prometheus to see the first increase, and count a rule by what it opens', async () => {
  const gate = await start({});
  const used = { plugin: 'a', path: '/x', methods: ['GET', 'POST'] };
  gate.gateMetrics.expect({
    plugins: ['a', 'b'],
    rules: [used],
    subjects: ['ci'],
  });
  gate.gateMetrics.rules.add(2, { rule: 'GET,POST /api/a/x' });
  const counters = (await gate.scrape()).filter(({ name }) =>
    name.endsWith('_total'),
  );
  const ofPlugin = (plugin: string) => ({
    name: 'api_gate_would_refuse_total',
    labels: { plugin, reason: 'missing-credentials', answer: 'worked' },
    value: 0,
  });
  expect(counters).toEqual([
    ofPlugin('a'),
    ofPlugin('b'),
    {
      name: 'api_gate_rule_requests_total',
      labels: { rule: 'GET,POST /api/a/x' },
      value: 2,
    },
    {
      name: 'api_gate_external_token_requests_total',
      labels: { subject: 'ci' },
      value: 0,
    },
  ]);
});
