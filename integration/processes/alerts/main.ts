// Makes the fault of each alert of ops/alerts.yaml before a live Prometheus: see `run`.
import { mkdirSync } from 'node:fs';
import { connect, createServer, Socket } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { freePort } from '../../../src/__tests__/__testUtils__/freePort';
import { signOut, sleep, until } from '../../http';
import { expectEqual } from '../../Report';
import { Run, runChecks } from '../../runChecks';
import { Prometheus } from './Prometheus';
import { Replica } from './Replica';

const LIMIT_MS = 200_000;

/** A mistake of an operator or an outage, and the alerts that fire while it lasts. */
interface Fault {
  /** Names of the alerts, each with its labels as {@link Prometheus} prints them. */
  alerts: (readonly [alert: string, labels: string])[];
  begin?(): unknown;
  /** Requests that are sent several times a second while the fault lasts. */
  requests?(): Promise<unknown>[];
  end?(): unknown;
}

interface World {
  a: Replica;
  b: Replica;
  staging: Replica[];
  /** The other backend of the split deployment whose `auth` is at `a`. */
  search: Replica;
  /** A backend that gets no requests. */
  idle: Replica;
  /** The only way from `search` to `auth`. */
  link: { cut(): void; mend(): void };
  sign(replica: Replica): Promise<string>;
}

const rule = (plugin: 'hello' | 'search', below: string) => ({
  plugin,
  path: below,
});

const addressOf = (port: number) => `http://127.0.0.1:${port}/api/{{pluginId}}`;

/** An entry of `discovery.endpoints`. */
const at = (port: number, plugin: string) => ({
  target: { internal: addressOf(port) },
  plugins: [plugin],
});

/** Returns a port that leads to another one, until it is cut. */
async function createLink(
  target: number,
): Promise<World['link'] & { port: number }> {
  let isCut = false;
  const open = new Set<Socket>();
  const port = await freePort();
  const server = createServer(socket => {
    if (isCut) {
      socket.destroy();
      return;
    }
    open.add(socket);
    // Ends both connections when one of them ends.
    pipeline(socket, connect(target, '127.0.0.1'), socket, () =>
      open.delete(socket),
    );
  });
  server.listen(port, '127.0.0.1').unref();
  return {
    port,
    cut() {
      isCut = true;
      open.forEach(socket => socket.destroy());
    },
    mend() {
      isCut = false;
    },
  };
}

async function createWorld(run: Run): Promise<World> {
  const key = await run.createKey();
  const folder = path.join(run.folder, 'replicas');
  mkdirSync(folder);
  const create = async (
    job: string,
    instance: string,
    config: JsonObject,
    port: number,
  ) => {
    const replica = new Replica(
      { job, instance },
      { backend: port, metrics: await freePort() },
      {
        folder,
        config: merge(
          {
            app: { baseUrl: 'http://localhost:3000' },
            backend: {
              listen: { host: '127.0.0.1', port },
              database: { client: 'better-sqlite3', connection: ':memory:' },
            },
            auth: {
              ...(key.config.auth as JsonObject),
              providers: {
                guest: { dangerouslyAllowOutsideDevelopment: true },
              },
            },
          },
          config,
        ),
      },
    );
    run.atExit.push(() => replica.killNow());
    return replica;
  };
  const [portOfA, portOfSearch] = [await freePort(), await freePort()];
  const link = await createLink(portOfA);
  const production = {
    backend: { baseUrl: `http://localhost:${portOfA}` },
    discovery: { endpoints: [at(portOfSearch, 'search')] },
  };
  const staging = {
    backend: { baseUrl: 'http://staging.localhost' },
    auth: {
      apiGate: { mode: 'report-only', allow: [rule('hello', '/staging')] },
    },
  };
  return {
    a: await create('production', 'a', production, portOfA),
    b: await create('production', 'b', production, await freePort()),
    staging: [
      await create('staging', 'a', staging, await freePort()),
      await create('staging', 'b', staging, await freePort()),
    ],
    search: await create(
      'search',
      'a',
      {
        backend: production.backend,
        discovery: { endpoints: [at(link.port, 'auth')] },
        auth: { apiGate: { allow: [rule('search', '/search')] } },
      },
      portOfSearch,
    ),
    idle: await create(
      'idle',
      'a',
      { backend: { baseUrl: 'http://idle.localhost' } },
      await freePort(),
    ),
    link,
    sign: ({ labels }) =>
      key.sign({
        iss: `${(labels.job === 'staging' ? staging : production).backend.baseUrl}/api/auth`,
        sub: `user:default/user-${Math.random()}`,
      }),
  };
}

/** An image without the gate, mistakes in files, at one replica or at all of a job, and a service that fails. */
function faultsOfConfiguration({ a, b, staging, idle }: World): Fault[] {
  return [
    {
      alerts: [['ApiGateIsMissing', 'idle a']],
      begin: () => idle.replace({ isWithoutGate: true }),
      end: () => idle.replace({ isWithoutGate: false }),
    },
    {
      alerts: [['ApiGatePoliciesDiffer', 'production']],
      begin: () =>
        b.write({ auth: { apiGate: { allow: [rule('hello', '/only-b')] } } }),
      end: () => b.write({}),
    },
    {
      alerts: [['ApiGatePolicyRejected', 'staging']],
      begin: () =>
        staging.forEach(replica =>
          replica.write({
            auth: { apiGate: { allow: [rule('hello', 'typo')] } },
          }),
        ),
      end: () => staging.forEach(replica => replica.write({})),
    },
    {
      alerts: [['ApiGateIsUnavailable', 'production a failed']],
      begin: () => a.setDiscoveryFault(true),
      end: () => a.setDiscoveryFault(false),
    },
  ];
}

/** Failures of connections, and of the trust in tokens. */
function faultsOfRequests(world: World): Fault[] {
  const { a, b, search, link, sign } = world;
  return [
    {
      alerts: [
        ['ApiGateMissesSignOuts', 'search a'],
        ['ApiGateIsUnavailable', 'search a sign-out-not-stored'],
      ],
      begin: () => link.cut(),
      requests: () => [
        sign(search).then(token =>
          signOut(search.port, `token=${token}`, { plugin: 'search' }),
        ),
      ],
      end: () => link.mend(),
    },
    {
      // A target that is plain text is the external address of `auth` too, so that this replica expects another issuer.
      alerts: [['ApiGateRefusesTokens', 'production b']],
      begin: () =>
        b.write({
          discovery: {
            endpoints: [
              at(search.port, 'search'),
              { target: addressOf(a.port), plugins: ['auth'] },
            ],
          },
        }),
      end: () => b.write({}),
    },
  ];
}

/** Sends requests several times a second. Returns a function that ends this. */
function repeat(requests: () => Promise<unknown>[]): () => Promise<void> {
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      // Some faults make requests fail.
      await Promise.all([sleep(250), Promise.allSettled(requests())]);
    }
  })();
  return () => {
    isOver = true;
    return done;
  };
}

/** Makes faults at the same time, and ends them. Waits until exactly their alerts fire, and then until none does. */
async function checkFaults(
  prometheus: Prometheus,
  faults: Fault[],
): Promise<string[]> {
  const expected = faults.flatMap(({ alerts }) =>
    alerts.map(([alert, labels]) => `${alert} ${labels}`),
  );
  for (const fault of faults) {
    await fault.begin?.();
  }
  const stop = repeat(() =>
    faults.flatMap(({ requests }) => requests?.() ?? []),
  );
  const firingAfter = await prometheus.waitFor(expected, 60_000);
  await stop();
  for (const fault of faults) {
    await fault.end?.();
  }
  const overAfter = await prometheus.waitFor([], 40_000);
  const seconds = (ms: number) => `${(ms / 1000).toFixed(0)} s`;
  console.log(
    `${expected.join(', ')}: all fire after ${seconds(firingAfter)}, and none ${seconds(overAfter)} after the end`,
  );
  return expected;
}

runChecks({ name: 'alerts', limitMs: LIMIT_MS }, async run => {
  const { report } = run;
  const world = await createWorld(run);
  const { a, b, staging, search, idle } = world;
  const replicas = [a, b, ...staging, search];
  await Promise.all([...replicas, idle].map(replica => replica.start()));
  const bearers = await Promise.all(replicas.map(each => world.sign(each)));
  const passes = async (i: number) =>
    (await replicas[i].send(bearers[i])).status === 200;
  for (const [i, { name }] of replicas.entries()) {
    await until(`${name} passes its user`, 20_000, () => passes(i));
  }
  repeat(() => replicas.flatMap((_, i) => [passes(i), passes(i), passes(i)]));
  const prometheus = new Prometheus(run, await freePort());
  await prometheus.start([...replicas, idle]);

  await report.check('[P45][P71] no alert fires without a fault', async () => {
    await sleep(5_000);
    expectEqual('fired', await prometheus.fired(), []);
    return 'none in 5 s';
  });
  await report.check(
    '[P45][P71] every alert fires for its fault and stops',
    async () => {
      const expected = [
        ...(await checkFaults(prometheus, faultsOfConfiguration(world))),
        ...(await checkFaults(prometheus, faultsOfRequests(world))),
      ];
      expectEqual('fired', await prometheus.fired(), expected.sort());
      return `${expected.length} alerts`;
    },
  );
  await report.check(
    'the query of docs/rollout.md has what works in report-only, from its first request on',
    async () => {
      const becomes = (expected: string[]) =>
        until(`the query has ${expected}`, 30_000, async () => {
          await sleep(200);
          const found = await prometheus.holdingUpEnforcement();
          return String(found) === String(expected);
        });
      await becomes([]);
      await staging[0].send();
      await sleep(3_000);
      expectEqual('after a 401', await prometheus.holdingUpEnforcement(), []);
      await staging[0].sendToOpenRoute();
      await becomes(['staging hello']);
      return `empty again after ${(await becomes([])) / 1000} s`;
    },
  );
});
