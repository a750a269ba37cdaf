import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { sleep, until } from '../../http';
import type { Run } from '../../runChecks';
import { runPrometheus } from '../../runPrometheus';
import type { Replica } from './Replica';

/** Replaces each range and offset of the rules, so that an alert stops soon. */
const RANGE = '10s';
/** Replaces each `for` of the rules. */
const FOR = '3s';

function shorten(query: string): string {
  return query.replace(/\b\d+[dhm]\b/g, RANGE);
}

/** Returns the name of an alert and its labels, such as `ApiGateFails production a`. */
function nameOf({ alertname, job, ...others }: Record<string, string>): string {
  const labels = ['instance', 'plugin', 'reason'].map(label => others[label]);
  return [alertname, job, ...labels].filter(Boolean).join(' ');
}

/** A Prometheus that scrapes replicas each second, with the rules of ops/alerts.yaml and short times. */
export class Prometheus {
  readonly #url: string;
  readonly #startedAt = Date.now();

  constructor(
    private readonly run: Run,
    private readonly port: number,
  ) {
    this.#url = `http://127.0.0.1:${port}`;
  }

  /** Resolves once every replica is scraped. The selector of backends in the rules gets the jobs of these replicas. */
  async start(replicas: readonly Replica[]): Promise<void> {
    const folder = path.join(this.run.folder, 'prometheus');
    mkdirSync(folder);
    const file = (name: string) => path.join(folder, name);
    const jobs = [...new Set(replicas.map(({ labels }) => labels.job))];
    const rules = parse(
      readFileSync(path.join(__dirname, '../../../ops/alerts.yaml'), 'utf8'),
    );
    for (const rule of rules.groups[0].rules) {
      rule.expr = shorten(rule.expr).replace('backstage.*', jobs.join('|'));
      rule.for &&= FOR;
    }
    writeFileSync(file('alerts.yaml'), stringify(rules));
    writeFileSync(
      file('prometheus.yaml'),
      stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [file('alerts.yaml')],
        scrape_configs: [
          ...jobs.map(job => ({
            job_name: job,
            static_configs: replicas
              .filter(({ labels }) => labels.job === job)
              .map(({ labels: { instance }, ports }) => ({
                targets: [`127.0.0.1:${ports.metrics}`],
                labels: { instance },
              })),
          })),
          // A target that is no backend.
          {
            job_name: 'prometheus',
            static_configs: [{ targets: [`127.0.0.1:${this.port}`] }],
          },
        ],
      }),
    );
    const config = file('prometheus.yaml');
    runPrometheus(this.run, { folder, config, port: this.port });
    await until('Prometheus scrapes every target', 20_000, async () => {
      const up = await this.#query('query', { query: 'sum(up)' }).catch(
        () => [],
      );
      return Number(up[0]?.value[1]) === replicas.length + 1;
    });
  }

  /** Returns the series that the query of docs/rollout.md finds now, with short times, named by their plugin. */
  async holdingUpEnforcement(): Promise<string[]> {
    const page = readFileSync(
      path.join(__dirname, '../../../docs/rollout.md'),
      'utf8',
    );
    const [, query] = page.match(/^```promql\n(.*?)^```$/ms)!;
    const found = await this.#query('query', { query: shorten(query) });
    return found.map(({ metric: { job, plugin } }) => `${job} ${plugin ?? ''}`);
  }

  /** Returns the alerts that fire now, sorted. */
  async #firing(): Promise<string[]> {
    const found = await this.#query('query', {
      query: 'ALERTS{alertstate="firing"}',
    });
    return found.map(({ metric }) => nameOf(metric)).sort();
  }

  /** Returns the alerts that have fired since the start, each once. */
  async fired(): Promise<string[]> {
    const found = await this.#query('query_range', {
      query: 'ALERTS{alertstate="firing"}',
      start: String(this.#startedAt / 1000),
      end: String(Date.now() / 1000),
      step: '1s',
    });
    return [...new Set(found.map(({ metric }) => nameOf(metric)))].sort();
  }

  /** Waits until exactly these alerts fire. */
  async waitFor(expected: string[], limitMs: number): Promise<number> {
    const sorted = [...expected].sort();
    let firing: string[] = [];
    return until(`${sorted.join(', ') || 'none'} fires`, limitMs, async () => {
      await sleep(200);
      firing = await this.#firing();
      return JSON.stringify(firing) === JSON.stringify(sorted);
    }).catch(error => {
      throw new Error(`${error.message}, but ${firing.join(', ') || 'none'}`);
    });
  }

  async #query(
    kind: 'query' | 'query_range',
    parameters: Record<string, string>,
  ): Promise<{ metric: Record<string, string>; value: [number, string] }[]> {
    const query = new URLSearchParams(parameters);
    const response = await fetch(`${this.#url}/api/v1/${kind}?${query}`);
    const { data, error } = (await response.json()) as any;
    if (!data) {
      throw new Error(error);
    }
    return data.result;
  }
}
