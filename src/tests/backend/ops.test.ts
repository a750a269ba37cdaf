import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { parse } from 'yaml';
import {
  asCollector,
  parseScrape,
  Scrape,
  select,
} from '../../__testUtils__/prometheusText';
import { rawRequest } from '../../__testUtils__/rawRequest';
import { recordingPlugin } from '../../__testUtils__/recordingPlugin';
import { createSigningKey, SigningKey } from '../../__testUtils__/signingKey';
import {
  freePort,
  RunningBackend,
  startBackend,
} from '../../__testUtils__/startBackend';
import { REFUSALS } from '../../decision/Refusal';

jest.setTimeout(60_000);

const root = path.resolve(__dirname, '../../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** Settings with which a backend exports series that it otherwise would not have. */
const MADE_TO_EXPORT = {
  allow: [
    { plugin: 'hello', path: '/health' },
    { plugin: 'hello', path: '/demo', until: '2999-12-31' },
  ],
  candidate: { allow: [] },
};

const { panels } = JSON.parse(read('ops/dashboard.json')) as {
  panels: {
    title: string;
    targets: { expr: string; legendFormat: string }[];
  }[];
};
const { rules } = parse(read('ops/alerts.yaml')).groups[0] as {
  rules: {
    alert: string;
    expr: string;
    labels: Record<string, string>;
    annotations: Record<string, string>;
  }[];
};
const queries = [
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }) => [title, expr] as const),
  ),
  ...rules.map(({ alert, expr }) => [alert, expr] as const),
];

/** Values of labels, and labels that the gate does not set itself. */
const VALUES: Record<string, string[]> = {
  credential: ['bearer'],
  outcome: ['passed', 'refused', 'would-refuse', 'issued'],
  reason: [
    ...Object.keys(REFUSALS),
    ...['allow-rule', 'issuer-failed', 'too-large', 'cross-site'],
  ],
};
const ADDED_BY_PROMETHEUS = ['job', 'namespace', 'instance', 'le'];

/** Returns the selectors of a query: a name with matchers, or matchers for the name. */
function selectorsOf(query: string): string[] {
  return query.match(/\{__name__=~"[^}]*\}|api_gate_\w+(\{[^}]*\})?/g)!;
}

describe('the dashboard and the alerts', () => {
  let key: SigningKey;
  let backend: RunningBackend;
  let provider: MeterProvider;
  let scrape: Scrape;

  beforeAll(async () => {
    key = await createSigningKey();
    const metricsPort = await freePort();
    provider = new MeterProvider({
      readers: [
        new PrometheusExporter({ host: 'localhost', port: metricsPort }),
      ],
    });
    metrics.setGlobalMeterProvider(provider);
    backend = await startBackend({
      features: [recordingPlugin('hello').feature],
      config: {
        auth: {
          ...(key.config.auth as JsonObject),
          apiGate: MADE_TO_EXPORT,
        },
      },
    });
    const token = await key.sign({ iss: `${backend.url}/api/auth` });
    for (const headerLines of [[], [`Authorization: Bearer ${token}`]]) {
      for (const target of ['/api/hello/x', '/api/hello/health']) {
        await rawRequest(backend.port, target, { headerLines });
      }
    }
    scrape = parseScrape((await rawRequest(metricsPort, '/metrics')).body);
  });
  afterAll(async () => {
    await backend.stop();
    metrics.disable();
    await provider.shutdown();
    await key.remove();
  });

  it.each(queries)(
    '%s selects series that a backend exports: %s',
    (_, query) => {
      const selectors = selectorsOf(query);
      expect(selectors.length).toBeGreaterThan(0);
      for (const selector of selectors) {
        const [withoutMatchers] = selector.match(/^\{.*|^\w+/)!;
        for (const spelling of [scrape, asCollector(scrape)]) {
          const [series] = select(withoutMatchers, spelling);
          expect([selector, series?.name]).toEqual([
            selector,
            expect.any(String),
          ]);
          const labels = [
            ...[...selector.matchAll(/(\w+)=~?"([^"]*)"/g)].filter(
              ([, label]) => label !== '__name__',
            ),
            ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) =>
              list.split(', ').map(label => ['', label, '']),
            ),
          ];
          for (const [, label, values] of labels.filter(
            ([, each]) => !ADDED_BY_PROMETHEUS.includes(each),
          )) {
            expect(Object.keys(series.labels)).toContain(label);
            expect(VALUES[label] ?? ['']).toEqual(
              expect.arrayContaining(values ? values.split('|') : []),
            );
          }
        }
      }
    },
  );

  it('show every metric that a backend exports', () => {
    const text = JSON.stringify(panels);
    for (const { name } of scrape.found) {
      expect(text).toContain(name);
    }
  });

  it('have a line of what to do for each alert, and no panel twice', () => {
    for (const { labels, annotations } of rules) {
      expect(['critical', 'warning', 'info']).toContain(labels.severity);
      expect(annotations).toEqual({
        summary: expect.any(String),
        description: expect.any(String),
        runbook: expect.stringMatching(/^[A-Z].*\.$/),
      });
    }
    const titles = panels.map(({ title }) => title);
    expect(new Set(titles).size).toBe(titles.length);
  });
});
