// Runs a variant in a process of its own: Backstage's default services, the real `auth` plugin, and a plugin without work.
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBackend } from '@backstage/backend-defaults';
import {
  AuthService,
  coreServices,
  createBackendModule,
  createBackendPlugin,
  createServiceFactory,
  DatabaseService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import authPlugin from '@backstage/plugin-auth-backend';
import type { JsonObject } from '@backstage/types';
import { Router } from 'express';
import type { ServerReply, ServerRequest, Session } from './ServerProcess';
import { CATALOG_ENTITIES, OPEN_PATH, Variant } from './variants';

const settings = process.env.BENCH_SERVER!;
const { variant, config } = JSON.parse(readFileSync(settings, 'utf8')) as {
  variant: Variant;
  config: JsonObject;
};
rmSync(settings);

const TABLE = 'api_gate_revocations';
const ROWS_AT_ONCE = 15_000;

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

const createTrivialPlugin = (pluginId: string) =>
  createBackendPlugin({
    pluginId,
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

let callerAuth: AuthService;

/** Calls the trivial plugin, in that it issues the token for such a call. */
const callerPlugin = createBackendPlugin({
  pluginId: 'caller',
  register(reg) {
    reg.registerInit({
      deps: { auth: coreServices.auth },
      async init({ auth }) {
        callerAuth = auth;
      },
    });
  },
});

async function issueServiceToken(targetPluginId: string): Promise<string> {
  const { token } = await callerAuth.getPluginRequestToken({
    onBehalfOf: await callerAuth.getOwnServiceCredentials(),
    targetPluginId,
  });
  return token;
}

/** Waits until the catalog has read its file. */
async function catalogFilled(): Promise<void> {
  const { baseUrl } = config.backend as { baseUrl: string };
  const headers = {
    authorization: `Bearer ${await issueServiceToken('catalog')}`,
  };
  for (;;) {
    const answer = await fetch(`${baseUrl}/api/catalog/entities`, { headers });
    const entities = (await answer.json()) as unknown[];
    // The location is an entity, too.
    if (entities.length > CATALOG_ENTITIES) {
      return;
    }
    await sleep(200);
  }
}

let authDatabase: DatabaseService;

/** Gives access to the database of the `auth` plugin, where the gate keeps the revoked sessions. */
const authDatabaseModule = createBackendModule({
  pluginId: 'auth',
  moduleId: 'bench',
  register(reg) {
    reg.registerInit({
      deps: { database: coreServices.database },
      async init({ database }) {
        authDatabase = database;
      },
    });
  },
});

/** Writes a number of sessions to the table of revocations, as other replicas would. */
async function revoke(count: number, last: Session): Promise<void> {
  const knex = await authDatabase.getClient();
  const { iat, exp } = last;
  for (let written = 0; written < count; written += ROWS_AT_ONCE) {
    const length = Math.min(ROWS_AT_ONCE, count - written);
    const rows = Array.from({ length }, (_, i) => {
      const id = written + i + 1;
      const sub = id === count ? last.sub : `user:default/revoked-${id}`;
      return {
        id: `bench-${id}`,
        scope: 'session',
        sub,
        iat,
        exp,
        recorded_at: Date.now(),
      };
    });
    await knex.batchInsert(TABLE, rows, 150);
  }
}

/** Sets the rows back by an hour: each poll reads those of the last minutes again, and hardly any are that new in operation. */
async function ageRevocations(): Promise<void> {
  const knex = await authDatabase.getClient();
  await knex(TABLE).decrement('recorded_at', 3_600_000);
}

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
  backend.add(callerPlugin);
  backend.add(createTrivialPlugin('trivial'));
  for (let i = 2; i <= (variant.plugins ?? 1); i++) {
    backend.add(createTrivialPlugin(`trivial-${i}`));
  }
  if (variant.withCatalog) {
    backend.add(import('@backstage/plugin-catalog-backend'));
  }
  if (variant.withGate) {
    // The gate is loaded only if the variant uses it, since loading is part of the measured start time.
    backend.add(import('../src'));
    backend.add(authDatabaseModule);
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

process.on('message', async (request: ServerRequest) => {
  if (request.kind === 'collect garbage') {
    // Collect twice: the second run frees the objects that the first one finalizes.
    global.gc!();
    global.gc!();
  }
  if (request.kind === 'revoke') {
    await revoke(request.sessions, request.last);
  }
  if (request.kind === 'age revocations') {
    await ageRevocations();
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
  async () => {
    // The time is measured since the process began.
    const milliseconds = performance.now();
    const cpuMilliseconds = cpuMicros() / 1000;
    const serviceToken = await issueServiceToken('trivial');
    if (variant.withCatalog) {
      await catalogFilled();
    }
    send({ kind: 'started', milliseconds, cpuMilliseconds, serviceToken });
  },
  error => {
    send({ kind: 'failed', message: String(error?.message ?? error) });
    process.exitCode = 1;
    process.disconnect();
  },
);
