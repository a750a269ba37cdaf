// Runs the backends, PostgreSQL, PgBouncer and the proxy: see `run`.
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import knexFactory, { Knex } from 'knex';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { BackendProcess } from '../../BackendProcess';
import { postgresUrl, Run, runChecks } from '../../runChecks';
import { checkFault, Fault } from './checkFault';
import {
  FaultyProxy,
  Mode,
} from '../../../src/__tests__/__testUtils__/FaultyProxy';
import { startPgBouncer } from './pgBouncer';
import { ROLE_CONNECTIONS, ROLES, World } from './World';

const IS_LONG = process.argv[2] === 'long';
const LOCK_MS = IS_LONG ? 120_000 : 20_000;
const PROXY_MS = IS_LONG ? 120_000 : 15_000;
const LIMIT_MS = IS_LONG ? 900_000 : 300_000;

const HEAD = [
  'fault',
  'for',
  "the gate's sessions, three replicas",
  'of them waiting for a lock',
  "the role's sessions",
  'waiting behind PgBouncer',
  'sign-ins at the three',
  'without the gate',
  'requests of users, all 200',
  'sign-out',
  'refused everywhere after',
];

async function startWorld({ folder, atExit, createKey }: Run): Promise<World> {
  const url = postgresUrl();
  const key = await createKey();
  const server = new URL(url);
  const postgres = knexFactory({ client: 'pg', connection: url });
  for (const role of ROLES) {
    await postgres.raw('create role ?? login createdb connection limit ??', [
      role,
      postgres.raw(`${ROLE_CONNECTIONS}`),
    ]);
  }
  // The replica behind PgBouncer shares the tables of the others.
  await postgres.raw('grant replicas to pooled');
  await postgres.destroy();

  const proxy = await FaultyProxy.start({
    host: server.hostname,
    port: Number(server.port),
  });
  const poolerPort = await freePort();
  atExit.push(await startPgBouncer(folder, poolerPort, server, 'pooled'));

  const baseUrl = 'http://localhost:7007';
  const create = async (
    name: string,
    user: (typeof ROLES)[number],
    databasePort = proxy.port,
  ) => {
    const port = await freePort();
    const isStock = user === 'stock';
    const backend = new BackendProcess(name, port, {
      module: path.join(__dirname, 'backend.ts'),
      config: {
        isStock,
        app: { baseUrl },
        backend: {
          baseUrl,
          listen: { host: '127.0.0.1', port },
          database: {
            client: 'pg',
            connection: { host: '127.0.0.1', port: databasePort, user },
            prefix: isStock ? 'stock_' : 'gate_',
          },
        },
        auth: {
          ...(key.config.auth as JsonObject),
          providers: { guest: { dangerouslyAllowOutsideDevelopment: true } },
        },
      },
      logFile: path.join(folder, `${name}.log`),
    });
    atExit.push(() => backend.killNow());
    // Backstage's own migrations fail where two backends begin them at once.
    await backend.start();
    return backend;
  };
  const replicas = [];
  for (const name of ['A', 'B', 'C']) {
    replicas.push(await create(name, 'replicas'));
  }
  const auth = new URL(url);
  auth.pathname = 'gate_auth';
  return {
    replicas,
    stock: await create('stock', 'stock'),
    pooled: await create('pooled', 'pooled', poolerPort),
    proxy,
    database: knexFactory({ client: 'pg', connection: auth.href }),
    sign: sub => key.sign({ iss: `${baseUrl}/api/auth`, sub }),
  };
}

function faultsOf({ database, proxy }: World): Fault[] {
  let holder: Knex.Transaction;
  const locks = (table: string) => ({
    begin: async () => {
      holder = await database.transaction();
      await holder.raw('lock table ?? in access exclusive mode', [table]);
    },
    end: () => holder.commit(),
    signsIn: true,
    lastsMs: LOCK_MS,
  });
  const proxies = (mode: Mode) => ({
    begin: async () => proxy.set(mode),
    end: async () => proxy.set('through'),
    signOut: 503 as const,
    signsIn: false,
    lastsMs: PROXY_MS,
  });
  return [
    {
      title:
        '[P41][P42] the table of revocations is locked: sign-ins go on, a sign-out is 503 and in force here, and everywhere afterwards',
      name: 'api_gate_revocations locked',
      ...locks('api_gate_revocations'),
      signOut: 503,
    },
    {
      title:
        '[P41][P42] the database answers after six seconds: sign-ins fare as without the gate, and a sign-out is in force everywhere afterwards',
      name: 'slow proxy, 6 s',
      ...proxies('slow'),
    },
    {
      title:
        '[P41][P42] the database is silent: sign-ins fare as without the gate, and a sign-out is in force everywhere afterwards',
      name: 'silent proxy',
      ...proxies('silent'),
    },
    {
      title:
        '[P41][P42] the answers of the database are lost: sign-ins fare as without the gate, and a sign-out is in force everywhere afterwards',
      name: 'lost answers',
      ...proxies('deaf'),
    },
  ];
}

runChecks({ name: 'database', limitMs: LIMIT_MS }, async run => {
  const world = await startWorld(run);
  const rows = [HEAD, HEAD.map(() => '---')];
  for (const fault of faultsOf(world)) {
    rows.push(await checkFault(run.report, world, fault));
  }
  if (IS_LONG) {
    console.log(rows.map(cells => `| ${cells.join(' | ')} |`).join('\n'));
  }
  await world.database.destroy();
});
