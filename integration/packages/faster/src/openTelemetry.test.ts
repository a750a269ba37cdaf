import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import {
  DataPoint,
  Histogram,
  MeterProvider,
} from '@opentelemetry/sdk-metrics';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { Server as SocketIo } from 'socket.io';
import { recordingPlugin } from '../../../../src/__tests__/__testUtils__/recordingPlugin';
import { bearer } from '../../../../src/__tests__/__testUtils__/requestParts';
import { rootRouterWith } from '../../../../src/__tests__/__testUtils__/rootHandler';
import { signedBackends } from '../../../../src/__tests__/__testUtils__/signedBackends';

const SPANS = new InMemorySpanExporter();
const prometheus = new PrometheusExporter({ preventServerStart: true });
const meterProvider = new MeterProvider({ readers: [prometheus] });
const tracerProvider = new NodeTracerProvider({
  spanProcessors: [new SimpleSpanProcessor(SPANS)],
});
tracerProvider.register();
metrics.setGlobalMeterProvider(meterProvider);
const stop = registerInstrumentations({
  instrumentations: [new HttpInstrumentation()],
  tracerProvider,
  meterProvider,
});
// The instrumentation changes Node's module when something loads it.
createRequire(__filename)('http');

const backends = signedBackends();
afterAll(() => {
  stop();
  metrics.disable();
});

/** Returns the number of requests that the metrics of the instrumentation have. */
async function countMeasured(): Promise<number> {
  const { resourceMetrics } = await prometheus.collect();
  return resourceMetrics.scopeMetrics
    .flatMap(scope => scope.metrics)
    .filter(({ descriptor }) => /^http\.server\./.test(descriptor.name))
    .flatMap(({ dataPoints }) => dataPoints as DataPoint<Histogram>[])
    .reduce((sum, { value }) => sum + value.count, 0);
}

/** Returns what the instrumentation has of the requests of a backend. */
async function observe(
  fasterServer: boolean,
  attach: (server: Server) => void = () => {},
) {
  const backend = await backends.start({
    apiGate: { fasterServer },
    features: [recordingPlugin('hello').feature, rootRouterWith(attach)],
  });
  const user = bearer(await backend.sign());
  SPANS.reset();
  const measuredBefore = await countMeasured();
  const answers = [
    await backend.get('/api/hello/x?y=z', user, 'User-Agent: test'),
    await backend.get('/api/hello/x'),
    await backend.request('POST', '/api/nowhere', [user]),
  ].map(({ status, body }) => [status, body]);
  const withoutPorts = (value: unknown) =>
    JSON.parse(JSON.stringify(value).replace(/\b\d{5}\b/g, '0'));
  const spans = SPANS.getFinishedSpans()
    .filter(({ kind }) => kind === 1)
    .map(({ name, attributes, status, events }) => ({
      name,
      attributes,
      status,
      events,
    }));
  return {
    answers,
    spans: withoutPorts(spans),
    measured: (await countMeasured()) - measuredBefore,
    log: backend.logged('fasterServer').map(({ message }) => message),
  };
}

it('the HTTP instrumentation of OpenTelemetry and its metrics have the same of each request', async () => {
  const { log, ...withIt } = await observe(true);
  expect(log).toEqual(['auth.apiGate.fasterServer is in effect']);
  const { log: _, ...without } = await observe(false);
  expect(withIt.spans.length).toBeGreaterThan(2);
  expect(withIt.measured).toBeGreaterThan(2);
  expect(withIt).toEqual(without);
});

it('[P99] they have the same of each request, a refusal included, with socket.io below /api', async () => {
  const { log: _, ...without } = await observe(false);
  const { log, ...attached } = await observe(false, server => {
    const socketIo = new SocketIo(server, { path: '/api/live/socket.io/' });
    backends.add({ stop: () => socketIo.disconnectSockets(true) });
  });
  expect(attached).toEqual(without);
});
