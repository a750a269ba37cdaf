// Starts two replicas at once: see `run`.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knexFactory from 'knex';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { expectEqual } from '../../Report';
import { postgresUrl, runChecks } from '../../runChecks';

const LIMIT_MS = 180_000;
const ROUNDS = 15;

runChecks(
  { name: 'revocations', limitMs: LIMIT_MS },
  async ({ report, folder, atExit }) => {
    const url = postgresUrl();
    const processes = await Promise.all(
      ['A', 'B'].map(async name => {
        const port = await freePort();
        const child = new BackendProcess(name, port, {
          module: path.join(__dirname, 'starter.ts'),
          config: {},
          logFile: path.join(folder, `${name}.log`),
        });
        atExit.push(() => child.killNow());
        await child.start();
        return child;
      }),
    );
    const start = (
      child: BackendProcess,
      prefix: string,
      withGate: boolean,
    ) => {
      const config: JsonObject = {
        app: { baseUrl: 'http://localhost:3000' },
        backend: {
          baseUrl: `http://localhost:${child.port}`,
          listen: { host: 'localhost', port: child.port },
          database: { client: 'pg', connection: url, prefix },
        },
        auth: {
          providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        },
      };
      return child.ask<number>('start', { config, withGate });
    };

    // Prepare the databases of an existing deployment. Backstage's own migrations fail where two backends begin them together.
    const model = `model_${randomBytes(4).toString('hex')}_`;
    expectEqual(
      'without the gate',
      await start(processes[0], model, false),
      200,
    );

    await report.check(
      `${2 * ROUNDS} of ${2 * ROUNDS} starts succeed, of two replicas at once on a database that never had the gate`,
      async () => {
        const server = knexFactory({ client: 'pg', connection: url });
        try {
          for (let round = 0; round < ROUNDS; round += 1) {
            const prefix = `round_${round}_${model}`;
            const { rows } = await server.raw(
              'select datname from pg_database where datname like ?',
              [`${model}%`],
            );
            for (const { datname } of rows) {
              // A template must have no connections.
              await server.raw(
                'select pg_terminate_backend(pid) from pg_stat_activity where datname = ?',
                [datname],
              );
              await server.raw('create database ?? template ??', [
                `round_${round}_${datname}`,
                datname,
              ]);
            }
            const statuses = await Promise.all(
              processes.map(child => start(child, prefix, true)),
            );
            expectEqual(`round ${round}`, statuses, [200, 200]);
          }
          return `each answered a guest's request with 200`;
        } finally {
          await server.destroy();
        }
      },
    );
  },
);
