// Two replicas, one database, one nginx: see `run`.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knex from 'knex';
import { createSigningKey } from '../../src/__testUtils__/signingKey';
import { freePort } from '../../src/__testUtils__/startBackend';
import { checkCookieSize } from './checkCookieSize';
import { checkDatabaseGone } from './checkDatabaseGone';
import { checkLoad } from './checkLoad';
import { checkRestart } from './checkRestart';
import { checkSignOut } from './checkSignOut';
import { reserveNginxPorts, startNginx } from './nginx';
import { Replica } from './Replica';
import { Report } from './Report';
import type { World } from './World';

const LIMIT_MS = 90_000;
const LOG_LINES = 20;
const LOG_COLUMNS = 400;

const report = new Report();
const folder = mkdtempSync(path.join(tmpdir(), 'api-gate-replicas-'));
const atExit: (() => void)[] = [
  () => rmSync(folder, { recursive: true, force: true }),
];
// Whatever ends this process, nothing of it is left.
process.once('exit', () => atExit.reverse().forEach(step => step()));
process.once('SIGINT', () => process.exit(1));
process.once('SIGTERM', () => process.exit(1));

async function main() {
  const url = process.env.API_GATE_TEST_POSTGRES;
  if (!url) {
    throw new Error('Run .ci/replicas/run: it brings PostgreSQL along');
  }
  const key = await createSigningKey();
  const keyFile = (key.config.auth as any).keyStore.static.keys[0]
    .publicKeyFile;
  atExit.push(() =>
    rmSync(path.dirname(keyFile), { recursive: true, force: true }),
  );

  const nginx = await reserveNginxPorts();
  const prefix = `replicas_${randomBytes(4).toString('hex')}_`;
  const baseUrl = `http://localhost:${nginx.main}`;
  const createReplica = async (name: string) => {
    const port = await freePort();
    const config: JsonObject = {
      app: { baseUrl },
      backend: {
        baseUrl,
        // Its own address is also what it reaches itself by.
        listen: { host: '127.0.0.1', port },
        database: { client: 'pg', connection: url, prefix },
      },
      auth: {
        ...(key.config.auth as JsonObject),
        providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
      },
    };
    return new Replica(name, port, config, path.join(folder, `${name}.log`));
  };
  const [a, b] = [await createReplica('A'), await createReplica('B')];
  const ports = [a.port, b.port];
  atExit.push(await startNginx(path.join(folder, 'nginx'), nginx, ports));

  const world: World = {
    a,
    b,
    nginx,
    authDatabase: `${prefix}auth`,
    connect: database => {
      const connection = new URL(url);
      connection.pathname = database;
      return knex({ client: 'pg', connection: connection.href });
    },
    sign: claims => key.sign({ iss: `${baseUrl}/api/auth`, ...claims }),
  };
  for (const replica of [a, b]) {
    atExit.push(() => replica.killNow());
  }
  // One after the other: Backstage's own migrations fail where two backends begin them on an empty database together.
  await a.start();
  await b.start();
  await checkSignOut(report, world);
  await checkRestart(report, world);
  await checkLoad(report, world);
  await checkCookieSize(report, world);
  await checkDatabaseGone(report, world);
}

function end() {
  const succeeded = report.end();
  if (!succeeded) {
    for (const file of ['A.log', 'B.log', 'nginx/error.log']) {
      const log = path.join(folder, file);
      const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
      const lines = text.trimEnd().split('\n').slice(-LOG_LINES);
      console.error(`--- end of ${file}`);
      lines.forEach(line => console.error(line.slice(0, LOG_COLUMNS)));
    }
  }
  process.exit(succeeded ? 0 : 1);
}

setTimeout(() => {
  report.fail('all in time', `not over in ${LIMIT_MS / 1000} s`);
  end();
}, LIMIT_MS);

main()
  .catch(error => report.fail('the test itself', error))
  .finally(end);
