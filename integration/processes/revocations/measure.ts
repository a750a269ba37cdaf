// Measures the cost of a long list of revoked sessions: see `run`.
import { createHash, randomBytes } from 'node:crypto';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knexFactory, { Knex } from 'knex';
import type { SigningKey } from '../../../src/__tests__/__testUtils__/signingKey';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { send, sleep } from '../../http';
import { expectEqual } from '../../Report';
import { postgresUrl, Run, runChecks } from '../../runChecks';

const LIMIT_MS = 300_000;
const ROWS = 100_000;
const TABLE = 'api_gate_revocations';
const REQUESTS_PER_SECOND = 50;
const WARM_UP_MS = 2_000;
/** The two backends take turns, so that the noise of a shared machine meets both. */
const TURNS = 8;
const TURN_MS = 5_000;
const IDLE_MS = 10_000;
const TOKENS = 50;
const MAX_P99_RATIO = 1.3;
const MAX_IDLE_CPU = 0.01;

interface Idle {
  /** Parts of a core. */
  cpu: number;
  rssMb: number;
}

/** The database where the `auth` plugin keeps its data. */
interface Database {
  config: JsonObject;
  open(): Knex;
}

function databasesOf(folder: string): [string, (name: string) => Database][] {
  const url = postgresUrl();
  const prefix = `measure_${randomBytes(4).toString('hex')}_`;
  const postgres = (name: string): Database => {
    const ofAuth = new URL(url);
    ofAuth.pathname = `${prefix}${name}_auth`;
    return {
      config: { client: 'pg', connection: url, prefix: `${prefix}${name}_` },
      open: () => knexFactory({ client: 'pg', connection: ofAuth.href }),
    };
  };
  const sqlite = (name: string): Database => {
    const directory = path.join(folder, name);
    return {
      config: { client: 'better-sqlite3', connection: { directory } },
      open: () =>
        knexFactory({
          client: 'better-sqlite3',
          connection: { filename: path.join(directory, 'auth.sqlite') },
          useNullAsDefault: true,
        }),
    };
  };
  return [
    ['PostgreSQL', postgres],
    ['SQLite', sqlite],
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

/** A backend under a steady load of signed-in requests. */
class LoadedBackend {
  readonly #took: number[] = [];
  #tokens: string[] = [];

  constructor(
    private readonly backend: BackendProcess,
    private readonly key: SigningKey,
  ) {}

  /** Returns the milliseconds that the start took. */
  async start(): Promise<number> {
    const startedAt = performance.now();
    await this.backend.start();
    const took = performance.now() - startedAt;
    const iss = `http://localhost:${this.backend.port}/api/auth`;
    this.#tokens = await Promise.all(
      Array.from({ length: TOKENS }, (_, i) =>
        this.key.sign({ iss, sub: `user:default/measured-${i}` }),
      ),
    );
    await this.load(WARM_UP_MS);
    this.#took.length = 0;
    return took;
  }

  async stop(): Promise<void> {
    await this.backend.terminate();
  }

  /** Sends requests at their times, whether or not earlier ones are answered. */
  async load(milliseconds: number): Promise<void> {
    const sent: Promise<void>[] = [];
    const begunAt = performance.now();
    const count = (milliseconds / 1000) * REQUESTS_PER_SECOND;
    for (let i = 0; i < count; i += 1) {
      const at = begunAt + (i * 1000) / REQUESTS_PER_SECOND;
      await sleep(at - performance.now());
      const sentAt = performance.now();
      const answered = send(this.backend.port, {
        bearer: this.#tokens[i % TOKENS],
      }).then(({ status }) => {
        this.#took.push(performance.now() - sentAt);
        expectEqual('a request', status, 200);
      });
      // The promise is awaited below; a failure before that must not end the process.
      answered.catch(() => {});
      sent.push(answered);
    }
    await Promise.all(sent);
  }

  /** Returns the milliseconds within which a part of all requests was answered. */
  percentile(part: number): number {
    const sorted = [...this.#took].sort((a, b) => a - b);
    return sorted[Math.floor(part * (sorted.length - 1))];
  }

  async idle(): Promise<Idle> {
    const usage = () =>
      this.backend.ask<{ cpuMs: number; rss: number }>('usage');
    const [before, from] = [await usage(), performance.now()];
    await sleep(IDLE_MS);
    const after = await usage();
    return {
      cpu: (after.cpuMs - before.cpuMs) / (performance.now() - from),
      rssMb: after.rss / 1024 ** 2,
    };
  }
}

function format(
  loaded: LoadedBackend,
  startMs: number,
  { cpu, rssMb }: Idle,
): string {
  const at = (part: number) => loaded.percentile(part).toFixed(1);
  return [
    `start ${Math.round(startMs)} ms`,
    `p50 ${at(0.5)}, p99 ${at(0.99)}, worst ${at(1)} ms`,
    `idle ${(cpu * 100).toFixed(2)} % of a core`,
    `${Math.round(rssMb)} MB`,
  ].join(', ');
}

async function compare(
  { folder, atExit }: Run,
  key: SigningKey,
  databaseOf: (name: string) => Database,
): Promise<string> {
  const create = async (name: string, database: Database) => {
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
          providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        },
      },
      logFile: path.join(folder, `${name}.log`),
    });
    atExit.push(() => backend.killNow());
    return new LoadedBackend(backend, key);
  };
  const filled = databaseOf('filled');
  const none = await create('none', databaseOf('none'));
  const many = await create('many', filled);
  // The first start creates the table.
  await many.start();
  await many.stop();
  await fill(filled);
  const [noneStartMs, manyStartMs] = [await none.start(), await many.start()];
  for (let turn = 0; turn < TURNS; turn += 1) {
    await none.load(TURN_MS);
    await many.load(TURN_MS);
  }
  const [noneIdle, manyIdle] = await Promise.all([none.idle(), many.idle()]);
  const ratio = many.percentile(0.99) / none.percentile(0.99);
  const outcome = `p99 ratio ${ratio.toFixed(2)}: 0 rows: ${format(none, noneStartMs, noneIdle)}; ${ROWS} rows: ${format(many, manyStartMs, manyIdle)}`;
  await Promise.all([none.stop(), many.stop()]);
  if (ratio > MAX_P99_RATIO || manyIdle.cpu - noneIdle.cpu > MAX_IDLE_CPU) {
    throw new Error(outcome);
  }
  return outcome;
}

async function checkAll(run: Run) {
  const key = await run.createKey();
  for (const [name, databaseOf] of databasesOf(run.folder)) {
    await run.report.check(
      `on ${name}, ${ROWS} revoked sessions cost a request and an idle backend about what none cost`,
      () => compare(run, key, databaseOf),
    );
  }
}

runChecks({ name: 'measure', limitMs: LIMIT_MS }, checkAll);
