import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { exportMetrics } from '../../../src/__tests__/__testUtils__/exportMetrics';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { startBackend } from '../../../src/__tests__/__testUtils__/startBackend';
import { until } from '../../http';
import { expectEqual } from '../../Report';
import type { Run } from '../../runChecks';
import { runPrometheus } from '../../runPrometheus';

const TOKEN = 'the-token-of-prometheus';
const [ofExporter, ofPlugin] = blocksAfter(
  'docs/observability.md',
  'Prometheus',
);

/**
 * Starts a Prometheus with a configuration, and waits until it has scraped its one target.
 *
 * @returns functions that read the values of a query, and that kill it
 */
async function startPrometheus(run: Run, name: string, config: string) {
  const folder = path.join(run.folder, name);
  mkdirSync(folder);
  const file = path.join(folder, 'prometheus.yml');
  // Prometheus scrapes once a minute by default.
  writeFileSync(file, `global: { scrape_interval: 1s }\n${config}`);
  const port = await freePort();
  runPrometheus(run, { folder, config: file, port });
  const query = async (text: string): Promise<string[]> => {
    const response = await fetch(
      `http://127.0.0.1:${port}/api/v1/query?${new URLSearchParams({ query: text })}`,
    );
    const { data } = (await response.json()) as any;
    return data.result.map((found: any) => found.value[1]);
  };
  await until(`Prometheus scrapes (${name})`, 20_000, () =>
    query('up').then(
      found => found.length > 0,
      () => false,
    ),
  );
  return query;
}

/** Has Prometheus scrape the exporter and a plugin, as docs/observability.md has it. */
export async function checkPrometheus(run: Run): Promise<void> {
  const metrics = await exportMetrics();
  const hello = recordingPlugin('hello', {
    handle: (_req, res) => res.type('text/plain').send('hello_up 1\n'),
  });
  const backend = await startBackend({
    features: [hello.feature],
    config: {
      backend: {
        auth: {
          externalAccess: [
            {
              type: 'static',
              options: { token: TOKEN, subject: 'prometheus' },
              accessRestrictions: [{ plugin: 'hello' }],
            },
          ],
        },
      },
    },
  });
  await fetch(`${backend.url}/api/hello/x`);

  await run.report.check(
    'Prometheus scrapes the exporter without a credential, and has the metrics of the gate',
    async () => {
      const documented = `backstage.internal:${PrometheusExporter.DEFAULT_OPTIONS.port}`;
      const query = await startPrometheus(
        run,
        'exporter',
        ofExporter.replace(documented, `127.0.0.1:${metrics.port}`),
      );
      expectEqual('up', await query('up{job="backstage"}'), ['1']);
      const refused = await query(
        'api_gate_decisions_total{job="backstage",outcome="refused"}',
      );
      expectEqual('refused', refused, ['1']);
      return 'up, with one refused request';
    },
  );

  await run.report.check(
    'Prometheus scrapes a plugin by a static token, and not without',
    async () => {
      const token = path.join(run.folder, 'token');
      writeFileSync(token, TOKEN);
      const config = ofPlugin
        .replace('/etc/prometheus/backstage-token', token)
        .replace('scheme: https', 'scheme: http')
        .replace('backstage.example.com', `127.0.0.1:${backend.port}`);
      const query = await startPrometheus(run, 'plugin', config);
      expectEqual('by the token', await query('hello_up'), ['1']);
      const without = await startPrometheus(
        run,
        'anonymous',
        config.replace(/^ *authorization:.*\n/m, ''),
      );
      expectEqual('without', await without('up'), ['0']);
      return 'up by the token, down without';
    },
  );
}
