// Runs the faults that need processes of their own: see `run`.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { runChecks } from '../../runChecks';
import { checkHangs } from './checkHangs';
import { checkSlowConnections } from './checkSlowConnections';
import { checkStop } from './checkStop';
import type { World } from './World';

const LIMIT_MS = 180_000;

runChecks(
  { name: 'faults', limitMs: LIMIT_MS },
  async ({ report, folder, atExit, createKey }) => {
    const key = await createKey();
    const world = {
      folder,
      async createBackend(name, options = {}) {
        const port = await freePort();
        const directory = path.join(folder, name);
        mkdirSync(directory, { recursive: true });
        const backend = new BackendProcess(name, port, {
          module: path.join(__dirname, 'backend.ts'),
          logFile: path.join(folder, `${name}.log`),
          config: {
            ...options,
            config: merge(
              {
                app: { baseUrl: `http://localhost:${port}` },
                backend: {
                  baseUrl: `http://localhost:${port}`,
                  listen: { host: '127.0.0.1', port },
                  // The databases are files, so that a backend that starts again has its data.
                  database: {
                    client: 'better-sqlite3',
                    connection: { directory },
                  },
                },
                auth: key.config.auth as JsonObject,
              },
              options.config,
            ),
          },
        });
        atExit.push(() => backend.killNow());
        return backend;
      },
      sign: ({ port, ...claims }) =>
        key.sign({ iss: `http://localhost:${port}/api/auth`, ...claims }),
    } satisfies World;
    await checkStop(report, world);
    await checkHangs(report, world);
    await checkSlowConnections(report, world);
  },
);
