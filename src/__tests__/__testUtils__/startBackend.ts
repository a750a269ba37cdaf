import { createBackend } from '@backstage/backend-defaults';
import {
  BackendFeature,
  coreServices,
  createServiceFactory,
  LoggerService,
  RootLoggerService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import authPlugin from '@backstage/plugin-auth-backend';
import guestProvider from '@backstage/plugin-auth-backend-module-guest-provider';
import apiGate from '../..';
import { freePort } from './freePort';
import { createReloadableConfig } from './reloadableConfig';

type Feature = BackendFeature | Promise<{ default: BackendFeature }>;

/** A line of a backend's log. */
export interface LogLine {
  level: 'error' | 'warn' | 'info' | 'debug';
  message: string;
  meta: unknown;
}

/** A real backend on a real port. */
export interface RunningBackend {
  port: number;
  url: string;
  log: LogLine[];
  /** Replaces the configuration that {@link startBackend} was given. */
  change(config: JsonObject): void;
  /** Has the backend make its reports anew, which it shares between those who read them within seconds. */
  renewReports(): void;
  stop(): Promise<void>;
}

/** Creates the configuration of a backend at a port, with SQLite in memory. */
export const backendConfig = (port: number) => ({
  app: { baseUrl: 'http://localhost:3000' },
  backend: {
    baseUrl: `http://localhost:${port}`,
    listen: { port, host: 'localhost' },
    database: { client: 'better-sqlite3', connection: ':memory:' },
  },
});

/**
 * Starts a backend: Backstage's own services, SQLite in memory, the real `auth` plugin with the guest provider, the gate.
 */
export async function startBackend(options: {
  features?: Feature[];
  config?: JsonObject;
  /** Default true. */
  withGate?: boolean;
  /** Default true. */
  withAuth?: boolean;
  port?: number;
  /** Replaces `config`. */
  rootConfig?: BackendFeature;
  /** Called as soon as the backend starts, before it is up. */
  whileStarting?: (url: string) => void;
}): Promise<RunningBackend> {
  const { features = [], withGate = true, withAuth = true } = options;
  const port = options.port ?? (await freePort());
  const url = `http://localhost:${port}`;
  const { logger, log } = createRecordingLogger();
  const configWith = (given?: JsonObject) =>
    merge(
      backendConfig(port),
      {
        auth: {
          providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        },
      },
      given,
    );
  const reloadable = createReloadableConfig(configWith(options.config));

  const backend = createBackend();
  backend.add(options.rootConfig ?? reloadable.feature);
  backend.add(
    createServiceFactory({
      service: coreServices.rootLogger,
      deps: {},
      factory: () => logger,
    }),
  );
  if (withAuth) {
    backend.add(authPlugin);
    backend.add(guestProvider);
  }
  if (withGate) {
    backend.add(apiGate);
  }
  for (const feature of features) {
    backend.add(feature);
  }
  const started = backend.start();
  options.whileStarting?.(url);
  try {
    await started;
  } catch (error) {
    await backend.stop();
    throw error;
  }
  return {
    port,
    url,
    log,
    change: config => reloadable.change(configWith(config)),
    renewReports: () => reloadable.touch(),
    stop: () => backend.stop(),
  };
}

/** Creates the configuration by which a backend finds plugins at another port. */
export const discovery = (port: number, ...plugins: string[]) => ({
  discovery: {
    endpoints: [
      { target: `http://localhost:${port}/api/{{pluginId}}`, plugins },
    ],
  },
});

function createRecordingLogger(): {
  logger: RootLoggerService;
  log: LogLine[];
} {
  const log: LogLine[] = [];
  const record =
    (level: LogLine['level']) =>
    (message: string, meta?: unknown): void => {
      log.push({ level, message, meta });
    };
  const logger: LoggerService = {
    error: record('error'),
    warn: record('warn'),
    info: record('info'),
    debug: record('debug'),
    child: () => logger,
  };
  return { logger, log };
}
