// Measures the cost of a long list of revoked sessions: see `run`.
import { createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knexFactory, { Knex } from 'knex';
import {
  createSigningKey,
  SigningKey,
} from '../../src/__testUtils__/signingKey';
import { freePort } from '../../src/__testUtils__/startBackend';
import { BackendProcess } from '../BackendProcess';
import { send, sleep } from '../http';
import { expectEqual } from '../Report';
import { Run, runChecks } from '../runChecks';

const LIMIT_MS = 300_000;
const ROWS = 100_000;
const TABLE = 'api_gate_revocations';
const REQUESTS_PER_SECOND = 50;
const WARM_UP_MS = 2_000;
const LOAD_MS = 10_000;
const IDLE_MS = 10_000;
const TOKENS = 50;
const MAX_P99_RATIO = 1.3;
const MAX_IDLE_CPU = 0.01;

interface Measured {
  startMs: number;
  p50: number;
  p99: number;
  worst: number;
  idleCpu: number;
  rssMb: number;
}

/** The database where the `auth` plugin keeps its data. */
interface Database {
  config: JsonObject;
  open(): Knex;
}

function databasesOf(folder: string): [string, Database][] {
  const url = process.env.API_GATE_TEST_POSTGRES!;
  const prefix = `measure_${randomBytes(4).toString('hex')}_`;
  const ofAuth = new URL(url);
  ofAuth.pathname = `${prefix}auth`;
  const filename = path.join(folder, 'auth.sqlite');
  return [
    [
      'PostgreSQL',
      {
        config: { client: 'pg', connection: url, prefix },
        open: () => knexFactory({ client: 'pg', connection: ofAuth.href }),
      },
    ],
    [
      'SQLite',
      {
        config: { client: 'better-sqlite3', connection: { directory: folder } },
        open: () =>
          knexFactory({
            client: 'better-sqlite3',
            connection: { filename },
            useNullAsDefault: true,
          }),
      },
    ],
  ];
}

/** Inserts the sign-outs of the last hour, except for the last minutes. */
async function fill({ open }: Database) {
  const knex = open();
  const now = Date.now();
  const rows = Array.from({ length: ROWS }, (_, i) => {
    const agoMs = 180_000 + Math.random() * 3_420_000;
    const iat = Math.floor((now - agoMs) / 1000);
    return {
      id: createHash('sha256').update(String(i)).digest('hex'),
      scope: 'session',
      sub: `user:default/somebody.with.a.name-${i}`,
      iat,
      exp: iat + 7_200,
      recorded_at: Math.floor(now - agoMs),
    };
  });
  await knex.batchInsert(TABLE, rows, 150);
  await knex.destroy();
}

async function measure(
  backend: BackendProcess,
  key: SigningKey,
): Promise<Measured> {
  const startedAt = performance.now();
  await backend.start();
  const startMs = performance.now() - startedAt;
  const iss = `http://localhost:${backend.port}/api/auth`;
  const tokens = await Promise.all(
    Array.from({ length: TOKENS }, (_, i) =>
      key.sign({ iss, sub: `user:default/measured-${i}` }),
    ),
  );
  async function load(milliseconds: number) {
    const took: number[] = [];
    const sent: Promise<void>[] = [];
    const begunAt = performance.now();
    const count = (milliseconds / 1000) * REQUESTS_PER_SECOND;
    for (let i = 0; i < count; i += 1) {
      const at = begunAt + (i * 1000) / REQUESTS_PER_SECOND;
      await sleep(at - performance.now());
      const sentAt = performance.now();
      const answered = send(backend.port, {
        bearer: tokens[i % TOKENS],
      }).then(({ status }) => {
        took.push(performance.now() - sentAt);
        expectEqual('a request', status, 200);
      });
      // The promise is awaited below; a failure before that must not end the process.
      answered.catch(() => {});
      sent.push(answered);
    }
    await Promise.all(sent);
    return took.sort((a, b) => a - b);
  }
  await load(WARM_UP_MS);
  const took = await load(LOAD_MS);
  await sleep(1_000);
  const usage = () => backend.ask<{ cpuMs: number; rss: number }>('usage');
  const [before, idleFrom] = [await usage(), performance.now()];
  await sleep(IDLE_MS);
  const after = await usage();
  const idleCpu = (after.cpuMs - before.cpuMs) / (performance.now() - idleFrom);
  await backend.terminate();
  const at = (part: number) => took[Math.floor(part * (took.length - 1))];
  return {
    startMs,
    p50: at(0.5),
    p99: at(0.99),
    worst: at(1),
    idleCpu,
    rssMb: after.rss / 1024 ** 2,
  };
}

function format(
  rows: number,
  { startMs, p50, p99, worst, ...others }: Measured,
) {
  const { idleCpu, rssMb } = others;
  return [
    `${rows} rows: start ${Math.round(startMs)} ms`,
    `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)}, worst ${worst.toFixed(1)} ms`,
    `idle ${(idleCpu * 100).toFixed(2)} % of a core`,
    `${Math.round(rssMb)} MB`,
  ].join(', ');
}

async function checkAll({ report, folder, atExit }: Run) {
  const key = await createSigningKey();
  atExit.push(() => rmSync(key.folder, { recursive: true, force: true }));
  for (const [name, database] of databasesOf(folder)) {
    await report.check(
      `on ${name}, ${ROWS} revoked sessions cost a request and an idle backend about what none cost`,
      async () => {
        const port = await freePort();
        const backend = new BackendProcess(name, port, {
          module: path.join(__dirname, 'measured.ts'),
          config: {
            app: { baseUrl: 'http://localhost:3000' },
            backend: {
              baseUrl: `http://localhost:${port}`,
              listen: { host: '127.0.0.1', port },
              database: database.config,
            },
            auth: {
              ...(key.config.auth as JsonObject),
              providers: {
                guest: { dangerouslyAllowOutsideDevelopment: true },
              },
            },
          },
          logFile: path.join(folder, `${name}.log`),
        });
        atExit.push(() => backend.killNow());
        const without = await measure(backend, key);
        await fill(database);
        const withRows = await measure(backend, key);
        const figures = `${format(0, without)}; ${format(ROWS, withRows)}`;
        const ratio = withRows.p99 / without.p99;
        const idle = withRows.idleCpu - without.idleCpu;
        if (ratio > MAX_P99_RATIO || idle > MAX_IDLE_CPU) {
          throw new Error(`p99 ratio ${ratio.toFixed(2)}: ${figures}`);
        }
        return `p99 ratio ${ratio.toFixed(2)}: ${figures}`;
      },
    );
  }
}

runChecks({ name: 'measure', limitMs: LIMIT_MS }, checkAll);
