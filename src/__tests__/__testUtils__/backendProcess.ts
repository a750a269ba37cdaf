import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { utimesSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { stringify } from 'yaml';
import { rawRequest, RawResponse } from './rawRequest';
import { folderWith, writeInto } from './runCli';
import { freePort } from './freePort';
import { until } from './until';

export const FILE = 'app-config.yaml';

/** The time between two readings of a configuration that is from a server. */
const RELOAD_MS = 250;

/** Has a backend read its configuration also from a server, as Backstage documents it. */
const REMOTE = `
  const { rootConfigServiceFactory } = require('@backstage/backend-defaults/rootConfig');
  const reloadInterval = { milliseconds: ${RELOAD_MS} };
  backend.add(rootConfigServiceFactory({ remote: { reloadInterval } }));`;

/** Adds a plugin that opens all of its paths in code, and answers 200. */
const OPEN_PLUGIN = `
  const { coreServices, createBackendPlugin } = require('@backstage/backend-plugin-api');
  backend.add(createBackendPlugin({
    pluginId: 'open',
    register: reg => reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        httpRouter.use((_req, res) => res.end());
        httpRouter.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
      },
    }),
  }));`;

/** Creates the main file of a backend as the template for new apps has it, with one more plugin. */
const mainWith = (rootConfig: string) => `
  const { createBackend } = require('@backstage/backend-defaults');
  const backend = createBackend();
  ${rootConfig}
  backend.add(require('@backstage/plugin-auth-backend').default);
  backend.add(require('@backstage/plugin-auth-backend-module-guest-provider').default);
  backend.add(require(${JSON.stringify(path.resolve(__dirname, '../..'))}).default);
  ${OPEN_PLUGIN}
  backend.start();`;

/** A backend in a process of its own, with Backstage's own logger and configuration files, as in production. */
export type BackendProcess = Awaited<ReturnType<typeof startBackendProcess>>;

/**
 * Starts the process, with a file of configuration that has more settings.
 *
 * @param configs - returns the names of the files of the configuration, and the addresses of servers; writes more files into a folder
 */
export async function startBackendProcess(
  config: JsonObject,
  env: Record<string, string> = {},
  configs: (folder: string) => string[] = () => [FILE],
) {
  const port = await freePort();
  const filesWith = (settings: JsonObject) => ({
    [FILE]: stringify(
      merge(
        {
          app: { baseUrl: 'http://localhost:3000' },
          backend: {
            baseUrl: `http://localhost:${port}`,
            listen: { host: 'localhost', port },
            database: { client: 'better-sqlite3', connection: ':memory:' },
          },
        },
        settings,
      ),
    ),
  });
  const folder = folderWith(filesWith(config));
  const names = configs(folder);
  const main = mainWith(names.some(name => URL.canParse(name)) ? REMOTE : '');
  const nodeTransform =
    require.resolve('@backstage/cli-node/config/nodeTransform.cjs');
  const child = spawn(
    process.execPath,
    [
      ...['-r', nodeTransform, '-e', main, '--', 'backend'],
      ...names.flatMap(name => ['--config', name]),
    ],
    {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        HOME: os.tmpdir(),
        NODE_ENV: 'production',
        // On other versions of Node, `.ci/withNode.sh` replaces a native module by it.
        NODE_OPTIONS: process.env.NODE_OPTIONS,
        // The packages are found from the folder of the tests.
        NODE_PATH: path.resolve(nodeTransform, '../../../..'),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let log = '';
  const record = (chunk: Buffer) => {
    log += chunk;
  };
  child.stdout.on('data', record);
  child.stderr.on('data', record);
  const logged = (text: string) =>
    log.split('\n').filter(line => line.includes(text));
  const get = (
    target: string,
    ...headerLines: string[]
  ): Promise<RawResponse> => rawRequest(port, target, { headerLines });
  const statusOf = (target: string): Promise<number | undefined> =>
    get(target).then(
      ({ status }) => status,
      () => undefined,
    );
  return {
    folder,
    get,
    /** Returns the text of the file with these settings in place of those of the start. */
    textOf: (settings: JsonObject) => filesWith(settings)[FILE],
    /** Resolves to `undefined` where no connection can be made. */
    statusOf,
    /** Resolves to the answers to the probes of Kubernetes: of readiness, and of liveness. */
    probe: () =>
      Promise.all(
        ['readiness', 'liveness'].map(name =>
          statusOf(`/.backstage/health/v1/${name}`),
        ),
      ),
    /** Replaces the settings in the file. */
    write: (changed: JsonObject) => writeInto(folder, filesWith(changed)),
    /** Returns the lines of the log with a text. */
    logged,
    /** Waits for such lines, and returns them: an answer may arrive before what the process has logged before it. */
    async waitForLogged(text: string) {
      await until(() => logged(text).length > 0, 25_000);
      return logged(text);
    },
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async stop() {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/**
 * Waits for a change of a file, and makes the file newer every three seconds meanwhile. Backstage's watcher loses a change that comes
 * while it reads the one before, or within 50 ms of it, as on a machine that is busy.
 */
export async function untilTaken(
  file: string,
  isTaken: () => Promise<boolean>,
) {
  const touch = () => utimesSync(file, new Date(), new Date());
  const touching = setInterval(touch, 3_000);
  await until(isTaken, 40_000).finally(() => clearInterval(touching));
}
