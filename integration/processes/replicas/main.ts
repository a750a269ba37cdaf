// Runs two replicas, one database, one nginx and an identity provider: see `run`.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knex from 'knex';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { postgresUrl, runChecks } from '../../runChecks';
import { checkBasicAuth } from './checkBasicAuth';
import { checkCookieSize } from './checkCookieSize';
import { checkDatabaseGone } from './checkDatabaseGone';
import { checkLoad } from './checkLoad';
import { checkOffboarding, OFFBOARDING } from './checkOffboarding';
import { checkReportOnly } from './checkReportOnly';
import { checkRestart } from './checkRestart';
import { checkSignOut } from './checkSignOut';
import { startIdentityProvider } from './identityProvider';
import { reserveNginxPorts, startNginx } from './nginx';
import type { World } from './World';

const LIMIT_MS = 240_000;

runChecks(
  { name: 'replicas', limitMs: LIMIT_MS },
  async ({ report, folder, atExit, createKey }) => {
    const url = postgresUrl();
    const key = await createKey();

    const nginx = await reserveNginxPorts();
    const prefix = `replicas_${randomBytes(4).toString('hex')}_`;
    const baseUrl = `http://localhost:${nginx.main}`;
    const identityProvider = await startIdentityProvider(baseUrl);
    atExit.push(identityProvider.stop);
    const createReplica = async (name: string) => {
      const port = await freePort();
      const config: JsonObject = {
        app: { baseUrl },
        backend: {
          baseUrl,
          // A replica reaches itself by this address, too.
          listen: { host: '127.0.0.1', port },
          database: { client: 'pg', connection: url, prefix },
          auth: {
            externalAccess: [OFFBOARDING],
          },
        },
        auth: {
          ...(key.config.auth as JsonObject),
          environment: 'development',
          session: { secret: 'of-a-test' },
          providers: {
            guest: { dangerouslyAllowOutsideDevelopment: true },
            oidc: identityProvider.config as JsonObject,
          },
        },
      };
      return new BackendProcess(name, port, {
        module: path.join(__dirname, 'backend.ts'),
        config,
        logFile: path.join(folder, `${name}.log`),
      });
    };
    const [a, b] = [await createReplica('A'), await createReplica('B')];
    const reporting = await Promise.all(
      ['C', 'D'].map(async name => {
        const port = await freePort();
        return new BackendProcess(name, port, {
          module: path.join(__dirname, 'backend.ts'),
          logFile: path.join(folder, `${name}.log`),
          logLevel: 'info',
          // Backstage logs JSON.
          env: { NODE_ENV: 'production' },
          config: {
            app: { baseUrl },
            backend: {
              baseUrl,
              listen: { host: '127.0.0.1', port },
              database: { client: 'better-sqlite3', connection: ':memory:' },
            },
            auth: {
              ...(key.config.auth as JsonObject),
              session: { secret: 'of-a-test' },
              providers: {
                guest: { dangerouslyAllowOutsideDevelopment: true },
              },
              apiGate: { mode: 'report-only' },
            },
          },
        });
      }),
    );
    const ports = [a, b, ...reporting].map(({ port }) => port);
    atExit.push(await startNginx(path.join(folder, 'nginx'), nginx, ports));

    const world: World = {
      a,
      b,
      identityProvider,
      nginx,
      authDatabase: `${prefix}auth`,
      connect: database => {
        const connection = new URL(url);
        connection.pathname = database;
        return knex({ client: 'pg', connection: connection.href });
      },
      sign: claims => key.sign({ iss: `${baseUrl}/api/auth`, ...claims }),
    };
    for (const replica of [a, b, ...reporting]) {
      atExit.push(() => replica.killNow());
    }
    // The replicas start one after the other, since Backstage's own migrations fail where two backends begin them at once.
    await a.start();
    await b.start();
    await checkBasicAuth(report, world);
    await checkSignOut(report, world);
    await checkRestart(report, world);
    await checkOffboarding(report, world);
    await checkDatabaseGone(report, world);
    await checkLoad(report, world);
    await checkCookieSize(report, world);
    await Promise.all(reporting.map(replica => replica.start()));
    await checkReportOnly(report, reporting, {
      folder,
      port: nginx.reportOnly,
    });
  },
);
