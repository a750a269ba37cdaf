// Runs a backend: Backstage's default services with a configuration file that it watches, the gate, a plugin, and the exporter
// for Prometheus. The process answers the test's requests by `BackendProcess.ask`.
import { readFileSync } from 'node:fs';
import { createBackend } from '@backstage/backend-defaults';
import { HostDiscovery } from '@backstage/backend-defaults/discovery';
import { rootConfigServiceFactory } from '@backstage/backend-defaults/rootConfig';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { parse } from 'yaml';
import apiGate from '../../../src';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { childConfig } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

const { file, metricsPort, plugin } = childConfig() as {
  file: string;
  metricsPort: number;
  plugin: string;
};
const { isWithoutGate } = parse(readFileSync(file, 'utf8'));

metrics.setGlobalMeterProvider(
  new MeterProvider({
    readers: [new PrometheusExporter({ host: '127.0.0.1', port: metricsPort })],
  }),
);

/** Whether a discovery service of the adopter's own, which finds the issuer of user tokens, throws at times. */
let isFailing = false;

const discovery = createServiceFactory({
  service: coreServices.discovery,
  deps: { config: coreServices.rootConfig },
  async factory({ config }) {
    const stock = HostDiscovery.fromConfig(config);
    return {
      getBaseUrl: id => stock.getBaseUrl(id),
      async getExternalBaseUrl(id) {
        if (isFailing && Math.random() < 0.5) {
          throw new Error('The service mesh does not answer');
        }
        return stock.getExternalBaseUrl(id);
      },
    };
  },
});

// The gate finds the file as that of a backend's command line.
process.argv.push('--config', file);
const backend = createBackend();
backend.add(rootConfigServiceFactory({ argv: ['--config', file] }));
backend.add(discovery);
if (!isWithoutGate) {
  backend.add(apiGate);
}
backend.add(
  recordingPlugin(plugin, {
    policies: [{ path: '/open', allow: 'unauthenticated' }],
  }).feature,
);
if (plugin !== 'search') {
  backend.add(import('@backstage/plugin-auth-backend'));
  backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
}

runAsChild(backend, {
  'set fault of discovery'({ isOn }) {
    isFailing = isOn;
  },
});
