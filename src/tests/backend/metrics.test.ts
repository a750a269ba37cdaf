import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import type { JsonObject } from '@backstage/types';
import { metrics } from '@opentelemetry/api';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import {
  asCollector,
  parseScrape,
  Scrape,
  select,
  Series,
} from '../../__testUtils__/prometheusText';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import {
  freePort,
  RunningBackend,
  startBackend,
} from '../../__testUtils__/startBackend';

jest.setTimeout(60_000);

const page = readFileSync(
  path.resolve(__dirname, '../../../docs/observability.md'),
  'utf8',
);
const [, section] = page.match(/^## Metrics\n(.*?)^## Audit/ms)!;
/** Names and units of the documented table. */
const rows = [
  ...section.matchAll(/^\| `(api_gate[^`]*)` +\| (\w+), `([^`]*)`/gm),
].map(([, name, kind, unit]) => ({ name, kind, unit }));
/** The documented queries, without comments. */
const queries = section
  .match(/```promql\n(.*?)```/s)![1]
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'));

/** Returns whether a documented alert fires. The function supports the two forms of the page. */
function fires(query: string, scrape: Scrape): boolean {
  const selected = select(query, scrape);
  const limit = Number(query.match(/> (\d+)$/)![1]);
  if (query.startsWith('max by ')) {
    return selected.some(({ value }) => value > limit);
  }
  expect(query).toMatch(
    /^count by \(job\) \(count_values by \(job\) \("hash", /,
  );
  return new Set(selected.map(({ value }) => value)).size > limit;
}

const queryFor = (name: string) => queries.find(query => query.includes(name))!;

describe("the documented metrics, by Backstage's Prometheus exporter", () => {
  let key: SigningKey;
  let exporter: PrometheusExporter;
  let provider: MeterProvider;
  let metricsPort: number;
  const running: RunningBackend[] = [];

  beforeAll(async () => {
    key = await createSigningKey();
  });
  afterAll(() => key.remove());
  beforeEach(async () => {
    metricsPort = await freePort();
    exporter = new PrometheusExporter({ host: 'localhost', port: metricsPort });
    provider = new MeterProvider({ readers: [exporter] });
    metrics.setGlobalMeterProvider(provider);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await Promise.all(running.splice(0).map(backend => backend.stop()));
    metrics.disable();
    await provider.shutdown();
  });

  const scrape = async (): Promise<Scrape> => {
    const { status, body } = await rawRequest(metricsPort, '/metrics');
    expect(status).toBe(200);
    return parseScrape(body);
  };

  async function start(options: Parameters<typeof startBackend>[0] = {}) {
    const hello = recordingPlugin('hello');
    const backend = await startBackend({
      ...options,
      features: [hello.feature],
      config: { ...key.config, ...options.config },
    });
    running.push(backend);
    return backend;
  }

  it('are there by those names and attributes, and the queries find them, also by the names of a collector', async () => {
    expect(rows.length).toBeGreaterThanOrEqual(5);
    expect(queries.length).toBeGreaterThanOrEqual(4);
    const rule = { plugin: 'hello', path: '/demo/*', until: '2099-12-31' };
    const backend = await start({
      config: {
        auth: {
          ...(key.config.auth as JsonObject),
          apiGate: {
            allow: [rule],
            candidate: { allow: [{ plugin: 'hello', path: '/x' }] },
          },
        },
      },
    });
    const token = await key.sign({ iss: `${backend.url}/api/auth` });
    await rawRequest(backend.port, '/api/hello/x');
    await rawRequest(backend.port, '/api/hello/x', {
      headerLines: [`Authorization: Bearer ${token}`],
    });
    const scraped = await scrape();
    const { series, found } = scraped;
    expect(found).toEqual(
      expect.arrayContaining(
        rows.map(({ name, ...others }) => ({
          name: `${name.replace(/\W/g, '_')}${others.kind === 'counter' ? '_total' : ''}`,
          ...others,
        })),
      ),
    );
    for (const { name } of found) {
      expect([name, series.some(each => each.name.startsWith(name))]).toEqual([
        name,
        true,
      ]);
    }
    const collected = asCollector(scraped);
    for (const spelling of [scraped, collected]) {
      for (const query of queries) {
        // No decision of this test is made in report-only.
        const selected = select(
          query.replace('"would-refuse"', '"refused"'),
          spelling,
        );
        expect([query, selected.length > 0]).toEqual([query, true]);
      }
    }
    expect(collected.series.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'api_gate_decisions_total',
        'api_gate_verification_duration_seconds_bucket',
        'api_gate_cookies_total',
        'api_gate_revocations_held',
        'api_gate_revocations_staleness_seconds',
        'api_gate_policy_age_seconds',
        'api_gate_policy_hash',
        'api_gate_rules_ends_in_seconds',
      ]),
    );
  });

  it('[P27] alert where sign-outs are missed, also if the list was never loaded', async () => {
    const query = queryFor('api_gate_revocations_staleness');
    const deadPort = await freePort();
    await start({
      withAuth: false,
      config: {
        discovery: {
          endpoints: [
            {
              target: `http://localhost:${deadPort}/api/{{pluginId}}`,
              plugins: ['auth'],
            },
          ],
        },
      },
    });
    expect(fires(query, await scrape())).toBe(false);
    const now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now + 40_000);
    const later = await scrape();
    expect(fires(query, later)).toBe(true);
    expect(fires(query, asCollector(later))).toBe(true);
  });

  it('do not alert without a fault, and do if two replicas have different policies', async () => {
    const query = queryFor('api_gate_policy_hash');
    await start();
    const scraped = await scrape();
    expect(fires(query, scraped)).toBe(false);
    expect(fires(queryFor('api_gate_revocations_staleness'), scraped)).toBe(
      false,
    );
    const [series] = select(query, scraped);
    const other = { ...series, value: series.value + 1 };
    for (const spelling of [(each: Scrape) => each, asCollector]) {
      const replicas = (second: Series) =>
        spelling({ ...scraped, series: [series, second] });
      expect(fires(query, replicas(series))).toBe(false);
      expect(fires(query, replicas(other))).toBe(true);
    }
  });
});
