import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { createReloadableConfig } from '../__testUtils__/reloadableConfig';
import { readApiGateConfig } from '../config/readApiGateConfig';
import { Policy } from '../policy/Policy';
import { GateMetrics } from './GateMetrics';

const NOW = Date.parse('2026-06-01');

/** Returns the points of `api_gate.rules.ends_in` for a list of rules. */
async function endsIn(allow: { [key: string]: string }[]) {
  const reader = new PeriodicExportingMetricReader({
    exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE),
    exportIntervalMillis: 3_600_000,
  });
  const provider = new MeterProvider({ readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  try {
    const { config } = createReloadableConfig({
      backend: { baseUrl: 'http://localhost' },
      auth: { apiGate: { allow } },
    });
    const current = new Policy(readApiGateConfig(config), () => NOW);
    const metricsOfGate = new GateMetrics(
      { size: 0, staleness: 0 },
      { current },
      () => undefined,
    );
    expect(metricsOfGate).toBeDefined();
    const { resourceMetrics } = await reader.collect();
    return resourceMetrics.scopeMetrics
      .flatMap(scope => scope.metrics)
      .filter(({ descriptor }) => descriptor.name === 'api_gate.rules.ends_in')
      .flatMap(metric => [...metric.dataPoints])
      .map(({ attributes, value }) => ({ ...attributes, value }));
  } finally {
    metrics.disable();
    await provider.shutdown();
  }
}

describe('[P37] api_gate.rules.ends_in', () => {
  it('has the seconds until each rule with an end ends, and 0 afterwards', async () => {
    expect(
      await endsIn([
        { plugin: 'a', path: '/a' },
        { plugin: 'b', path: '/b', until: '2026-06-02' },
        { plugin: 'c', path: '/c/*', until: '2026-05-01' },
      ]),
    ).toEqual([
      { rule: 'auth.apiGate.allow[2]', plugin: 'c', value: 0 },
      { rule: 'auth.apiGate.allow[1]', plugin: 'b', value: 86_400 },
    ]);
  });

  it('has at most the 100 rules that end first', async () => {
    const rules = Array.from({ length: 150 }, (_, i) => ({
      plugin: 'a',
      path: `/${i}`,
      until: `${2200 - i}-01-01`,
    }));
    const points = await endsIn(rules);
    expect(points).toHaveLength(100);
    expect(points[0]).toMatchObject({ rule: 'auth.apiGate.allow[149]' });
  });
});
