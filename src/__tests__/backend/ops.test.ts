import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { staticToken } from '../__testUtils__/externalAccess';
import { exportMetrics } from '../__testUtils__/exportMetrics';
import { asCollector, Scrape, select } from '../__testUtils__/prometheusText';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { bearer } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';
import { REFUSALS } from '../../gate/Refusal';

const CI = 'a-static-token-of-a-ci-server';

const backends = signedBackends();

const root = path.resolve(__dirname, '../../..');
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');

/** Settings with which a backend exports series that it otherwise would not have. */
const MADE_TO_EXPORT = {
  mode: 'report-only',
  allow: [
    { plugin: 'hello', path: '/health' },
    { plugin: 'hello', path: '/demo', until: '2999-12-31' },
  ],
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
  answer: ['worked'],
  outcome: ['passed', 'refused', 'would-refuse'],
  reason: [...Object.keys(REFUSALS), 'allow-rule'],
};
const ADDED_BY_PROMETHEUS = ['job', 'namespace', 'instance', 'le'];

/** Returns the selectors of a query: a name with matchers, or matchers for the name. */
function selectorsOf(query: string): string[] {
  return query.match(/\{__name__=~"[^}]*\}|api_gate_\w+(\{[^}]*\})?/g)!;
}

describe('the dashboard and the alerts', () => {
  let scrape: Scrape;

  beforeAll(async () => {
    const exported = await exportMetrics();
    const { get, sign } = await backends.start({
      features: [recordingPlugin('hello').feature],
      apiGate: MADE_TO_EXPORT,
      config: {
        backend: { auth: { externalAccess: [staticToken(CI, 'ci')] } },
      },
    });
    const token = await sign();
    for (const headerLines of [[], [bearer(token)], [bearer(CI)]]) {
      for (const target of ['/api/hello/x', '/api/hello/health']) {
        await get(target, ...headerLines);
      }
    }
    scrape = await exported.scrape();
    await exported.stop();
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

  it('have a line of what to do for each alert, of which there are six at most, and no panel twice', () => {
    expect(rules.length).toBeLessThanOrEqual(6);
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
