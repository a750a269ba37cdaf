import { readFileSync } from 'node:fs';
import path from 'node:path';
import { staticToken } from '../__testUtils__/externalAccess';
import { exportMetrics } from '../__testUtils__/exportMetrics';
import {
  asCollector,
  Scrape,
  select,
  Series,
} from '../__testUtils__/prometheusText';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer, cookie } from '../__testUtils__/requestParts';
import {
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { freePort } from '../__testUtils__/freePort';
import { discovery } from '../__testUtils__/startBackend';

const CI = 'a-static-token-of-a-ci-server';

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

const backends = signedBackends();

describe("the documented metrics, by Backstage's Prometheus exporter", () => {
  let exported: Awaited<ReturnType<typeof exportMetrics>>;

  beforeEach(async () => {
    exported = await exportMetrics();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await backends.stopAll();
    await exported.stop();
  });

  const start = (options: SignedBackendOptions = {}) =>
    backends.start({
      ...options,
      features: [recordingPlugin('hello').feature],
    });

  it('are there by those names and attributes, and the queries find them, also by the names of a collector', async () => {
    expect(rows.length).toBeLessThanOrEqual(8);
    expect(queries.length).toBeGreaterThanOrEqual(4);
    const rule = { plugin: 'hello', path: '/demo/*', until: '2099-12-31' };
    const backend = await start({
      apiGate: {
        mode: 'report-only',
        allow: [rule],
      },
      config: {
        backend: { auth: { externalAccess: [staticToken(CI, 'ci')] } },
      },
    });
    await backend.get('/api/hello/x');
    await backend.get('/api/hello/x', bearer(await backend.sign()));
    await backend.get('/api/hello/x', bearer(CI));
    const scraped = await exported.scrape();
    const { series, found } = scraped;
    const byName = (one: { name: string }, other: { name: string }) =>
      one.name.localeCompare(other.name);
    expect(
      found
        .map(({ description, ...others }) => {
          expect(description.length).toBeGreaterThan(10);
          return others;
        })
        .sort(byName),
    ).toEqual(
      rows
        .map(({ name, ...others }) => ({
          name: `${name.replace(/\W/g, '_')}${others.kind === 'counter' ? '_total' : ''}`,
          ...others,
        }))
        .sort(byName),
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
        // The gate of this test refuses nothing, and Prometheus adds the job.
        const selected = select(
          query
            .replace('"refused"', '"would-refuse"')
            .replace('{job="backstage"}', ''),
          spelling,
        );
        expect([query, selected.length > 0]).toEqual([query, true]);
      }
    }
    expect(collected.series.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'api_gate_decisions_total',
        'api_gate_revocations_staleness_seconds',
        'api_gate_policy_hash',
      ]),
    );
  });

  it('count what comes of requests that report-only lets pass, from 0 on', async () => {
    const { get } = await backends.start({
      apiGate: { mode: 'report-only' },
      features: [
        recordingPlugin('hello', {
          policies: [{ path: '/open', allow: 'unauthenticated' }],
        }).feature,
      ],
    });
    const counts = async () => {
      const { series } = await exported.scrape();
      return Object.fromEntries(
        series
          .filter(({ name }) => name === 'api_gate_would_refuse_total')
          .map(({ labels: { plugin, reason, answer }, value }) => [
            `${plugin} ${reason} ${answer}`,
            value,
          ]),
      );
    };
    const none = {
      'auth missing-credentials worked': 0,
      'not installed missing-credentials worked': 0,
    };
    expect(await counts()).toEqual({
      ...none,
      'hello missing-credentials worked': 0,
    });
    await get('/api/hello/open');
    await get('/api/hello/x');
    await get('/api/nosuch/x');
    expect(await counts()).toEqual({
      ...none,
      'hello missing-credentials worked': 1,
      'hello missing-credentials refused': 1,
      'not installed missing-credentials not-found': 1,
    });
  });

  it('count decisions, and the requests of rules and external tokens, with few label values', async () => {
    const { get, request, sign } = await start({
      config: {
        auth: { providers: { 'signs-in': { signIn: {} } } },
        backend: { auth: { externalAccess: [staticToken(CI, 'ci')] } },
      },
      apiGate: {
        allow: ['/health', '/unused'].map(each => ({
          plugin: 'hello',
          path: each,
        })),
      },
    });
    const token = await sign();
    await get('/api/hello/x', bearer(token));
    await get('/api/hello/x', cookie(token));
    await get('/api/hello/health');
    for (let i = 0; i < 5; i += 1) {
      await get(`/api/made-up-${i}/x`);
    }
    await get('/api/hello/x', bearer(CI));
    await request('POST', '/api/auth/signs-in/logout', [cookie(token)]);
    const { series } = await exported.scrape();
    /** Returns the values of the labels of each series, in the order of the labels' names, and its value. */
    const valuesOf = (name: string) =>
      series
        .filter(each => each.name === name)
        .map(({ labels: { otel_scope_name: _, ...labels }, value }) =>
          [
            ...Object.keys(labels)
              .sort()
              .map(label => labels[label]),
            value,
          ].join(', '),
        );
    // The labels are credential, outcome, plugin and reason.
    expect(valuesOf('api_gate_decisions_total')).toEqual(
      expect.arrayContaining([
        'bearer, passed, hello, bearer, 2',
        'cookie, passed, hello, cookie, 1',
        'none, passed, hello, allow-rule, 1',
        'none, refused, not installed, missing-credentials, 5',
        'cookie, passed, auth, sign-out, 1',
      ]),
    );
    expect(valuesOf('api_gate_rule_requests_total')).toEqual([
      'GET /api/hello/health, 1',
      'GET /api/hello/unused, 0',
    ]);
    expect(valuesOf('api_gate_external_token_requests_total')).toEqual([
      'ci, 1',
    ]);
  });

  it('[P27] alert where sign-outs are missed, also if the list was never loaded', async () => {
    const query = queryFor('api_gate_revocations_staleness');
    const deadPort = await freePort();
    await start({ withAuth: false, config: discovery(deadPort, 'auth') });
    expect(fires(query, await exported.scrape())).toBe(false);
    const now = performance.now();
    jest.spyOn(performance, 'now').mockImplementation(() => now + 40_000);
    const later = await exported.scrape();
    expect(fires(query, later)).toBe(true);
    expect(fires(query, asCollector(later))).toBe(true);
  });

  it('do not alert without a fault, and do if two replicas have different policies', async () => {
    const query = queryFor('api_gate_policy_hash');
    await start();
    const scraped = await exported.scrape();
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
