import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { parseScrape, Scrape } from './prometheusText';
import { rawRequest } from './rawRequest';
import { freePort } from './freePort';

/** Exports the metrics of this process by the exporter that Backstage documents, until {@link stop}. */
export async function exportMetrics() {
  const port = await freePort();
  const exporter = new PrometheusExporter({
    host: 'localhost',
    port,
    preventServerStart: true,
  });
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  // Unlike the constructor, this method waits until the server listens.
  await exporter.startServer();
  return {
    port,
    async scrape(): Promise<Scrape> {
      const { status, body } = await rawRequest(port, '/metrics');
      expect(status).toBe(200);
      return parseScrape(body);
    },
    /** Returns the gate's decisions, with the number of those that are alike. */
    async decisions() {
      const { series } = await this.scrape();
      return series
        .filter(({ name }) => name === 'api_gate_decisions_total')
        .map(({ labels, value }) => ({ ...labels, count: value }));
    },
    async stop(): Promise<void> {
      metrics.disable();
      await provider.shutdown();
    },
  };
}
