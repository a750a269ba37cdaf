// Runs a backend, with the gate or without, whose configuration is a file that it watches. It exports its metrics by the exporter
// that Backstage documents, and measures itself.
import { readdirSync } from 'node:fs';
import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigSources } from '@backstage/config-loader';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { visitorProvider } from '../../dev/visitorProvider';
import { recordingPlugin } from '../../src/__tests__/__testUtils__/recordingPlugin';
import { webSocketPlugin } from '../../src/__tests__/__testUtils__/webSocketPlugin';
import {
  childConfig,
  createChildBackend,
} from '../../integration/createChildBackend';
import { runAsChild } from '../../integration/runAsChild';
import type { BackendOptions, BackendSample } from './World';

const { configFile, metricsPort, withGate } =
  childConfig() as unknown as BackendOptions;

metrics.setGlobalMeterProvider(
  new MeterProvider({
    readers: [new PrometheusExporter({ host: '127.0.0.1', port: metricsPort })],
  }),
);

const hello = recordingPlugin('hello', {
  policies: [{ path: '/open', allow: 'unauthenticated' }],
});
const live = webSocketPlugin('live', { '/feed': undefined });

/** Holds references to all objects of a kind, without keeping the objects in memory. */
class Made<T extends object> {
  #all: WeakRef<T>[] = [];

  add(object: T): T {
    this.#all.push(new WeakRef(object));
    return object;
  }

  /** Returns the objects that the last garbage collection has left in memory. */
  left(): T[] {
    this.#all = this.#all.filter(reference => reference.deref());
    return this.#all.map(reference => reference.deref()!);
  }
}

const requests = new Made<IncomingMessage>();
const sockets = new Made<Socket>();
const timers = new Made<NodeJS.Timeout>();
let server: Server;

// `getActiveResourcesInfo` leaves out the timers that do not keep the process alive, as the gate's own are.
for (const name of ['setTimeout', 'setInterval'] as const) {
  const create = global[name] as (...args: unknown[]) => NodeJS.Timeout;
  const counted = (...args: unknown[]) => timers.add(create(...args));
  Object.assign(global, { [name]: Object.assign(counted, create) });
}

const backend = createChildBackend(undefined, [
  createServiceFactory({
    service: coreServices.rootConfig,
    deps: {},
    factory: () =>
      ConfigSources.toConfig(
        ConfigSources.default({ argv: ['--config', configFile], watch: true }),
      ),
  }),
  ...(withGate ? [import('../../src')] : []),
  visitorProvider,
  hello.feature,
  live.feature,
  rootHttpRouterServiceFactory({
    configure({ app, server: created, applyDefaults }) {
      server = created as Server;
      server.on('connection', socket => sockets.add(socket));
      app.use((req, _res, next) => {
        requests.add(req);
        next();
      });
      applyDefaults();
    },
  }),
]);

function listenersOf(emitter: EventEmitter): number {
  return emitter
    .eventNames()
    .reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}

/** Measures this process. Each count is of what is left after a full garbage collection. */
function sample(): BackendSample {
  // The plugins of the tests record what they handle.
  hello.handled.length = 0;
  live.handled.length = 0;
  global.gc!();
  const counts = {
    requests: requests.left().length,
    timers: timers.left().length,
    sockets: sockets.left().length,
  };
  const open = sockets.left().filter(({ destroyed }) => !destroyed);
  const listeners = [process, server, ...open].reduce(
    (sum, emitter) => sum + listenersOf(emitter),
    0,
  );
  // The second run frees the objects that the first one finalizes.
  global.gc!();
  const { heapUsed, external } = process.memoryUsage();
  return {
    ...counts,
    heap: heapUsed + external,
    handles: process.getActiveResourcesInfo().length,
    descriptors: readdirSync('/proc/self/fd').length,
    connections: open.length,
    listeners,
  };
}

runAsChild(backend, { sample });
