// Runs a variant in a process of its own: Backstage's default services, the real `auth` plugin, and a plugin without work.
import { subscribe } from 'node:diagnostics_channel';
import { createBackend } from '@backstage/backend-defaults';
import { HostDiscovery } from '@backstage/backend-defaults/discovery';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createBackendPlugin,
  createServiceFactory,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import authPlugin from '@backstage/plugin-auth-backend';
import type { JsonObject } from '@backstage/types';
import { Router } from 'express';
import type { ServerReply, ServerRequest } from './ServerProcess';
import { createTutorialMiddleware } from './tutorial';
import { OPEN_PATH, Variant } from './variants';

const { variant, config } = JSON.parse(process.env.BENCH_SERVER!) as {
  variant: Variant;
  config: JsonObject;
};

// Requests leave by the global `fetch`, or by code that uses Node's own client.
let outboundRequests = 0;
const countOutboundRequest = () => {
  outboundRequests++;
};
subscribe('undici:request:create', countOutboundRequest);
subscribe('http.client.request.start', countOutboundRequest);

// All variants log requests alike, and discard the output: the cost of writing is not of interest here.
const quiet: LoggerService = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => quiet,
};

const trivialPlugin = createBackendPlugin({
  pluginId: 'trivial',
  register(reg) {
    reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        if (!variant.withGate) {
          httpRouter.addAuthPolicy({
            path: OPEN_PATH,
            allow: 'unauthenticated',
          });
        }
        const router = Router();
        router.get(['/x', OPEN_PATH], (_req, res) => {
          res.json({ hello: 'world' });
        });
        httpRouter.use(router);
      },
    });
  },
});

async function start() {
  const rootConfig = new ConfigReader(config);
  const backend = createBackend();
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => rootConfig,
    }),
  );
  backend.add(
    createServiceFactory({
      service: coreServices.rootLogger,
      deps: {},
      factory: () => quiet,
    }),
  );
  backend.add(authPlugin);
  backend.add(trivialPlugin);
  if (variant.withGate) {
    // The gate is loaded only if the variant uses it, since loading is part of the measured start time.
    backend.add(import('../src'));
  }
  if (variant.withTutorial) {
    backend.add(
      rootHttpRouterServiceFactory({
        // These are the defaults, and the middleware between them and the routes.
        configure({ app, middleware, healthRouter, routes }) {
          app.use(middleware.helmet());
          app.use(middleware.cors());
          app.use(middleware.compression());
          app.use(middleware.logging());
          app.use(middleware.rateLimit());
          app.use(healthRouter);
          const authenticate = createTutorialMiddleware(
            HostDiscovery.fromConfig(rootConfig),
          );
          app.use('/api', (req, res, next) =>
            // Sign-in is public.
            req.path.startsWith('/auth/')
              ? next()
              : authenticate(req, res, next),
          );
          app.use(routes);
          app.use(middleware.notFound());
          app.use(middleware.error());
        },
      }),
    );
  }
  await backend.start();
}

function send(message: ServerReply) {
  process.send!(message);
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

process.on('message', (request: ServerRequest) => {
  if (request === 'collect garbage') {
    // Collect twice: the second run frees the objects that the first one finalizes.
    global.gc!();
    global.gc!();
  }
  const { heapUsed, external } = process.memoryUsage();
  send({
    kind: 'usage',
    cpuMicros: cpuMicros(),
    memoryBytes: heapUsed + external,
    outboundRequests,
  });
});

// The process ends with the benchmark, however the benchmark ends.
process.once('disconnect', () => process.exit());

start().then(
  () =>
    send({
      kind: 'started',
      // The time is measured since the process began.
      milliseconds: performance.now(),
      cpuMilliseconds: cpuMicros() / 1000,
    }),
  error => {
    send({ kind: 'failed', message: String(error?.message ?? error) });
    process.exitCode = 1;
    process.disconnect();
  },
);
