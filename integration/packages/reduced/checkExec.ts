// Runs `kubectl exec` through the proxy of the published Kubernetes plugin, as docs/websockets.md says.
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { blocksAfter } from '../../../src/__tests__/__testUtils__/documents';
import { forge } from '../../../src/__tests__/__testUtils__/requestParts';
import { gateCookieOf, send, signOut, until } from '../../http';
import { expectEqual } from '../../Report';
import type { Run } from '../../runChecks';
import {
  CLUSTER,
  exec,
  execIn,
  openKubectl,
  openTerminal,
  PROXY,
  statusOfClient,
} from './execClients';
import { CLUSTER_TOKEN, FakeCluster } from './FakeCluster';
import { GATE, packageOf, StockBackend } from './StockBackend';

const PACKAGES = [
  'auth-backend',
  'auth-backend-module-guest-provider',
  'kubernetes-backend',
].map(packageOf);
const SIGNALS = packageOf('signals-backend');

/** The namespace that the rule of the page names. */
const DENIED = 'payments';

const ruleFor = (namespace: string, method: string) => ({
  plugin: 'kubernetes',
  path: `/proxy${execIn(namespace)}`,
  methods: [method],
});
const [denied] = blocksAfter(
  'docs/websockets.md',
  'Kubernetes and other plugins',
);
const RULES = {
  allow: [
    ruleFor('opened-for-websocket', 'WEBSOCKET'),
    ruleFor('opened-for-get', 'GET'),
  ],
  deny: parse(denied).auth.apiGate.deny,
};

/** A backend in front of a cluster, and the token of a user. */
interface Scene {
  run: Run;
  cluster: FakeCluster;
  port: number;
  token: string;
}

async function signIn(port: number): Promise<string> {
  const { body } = await send(port, { path: '/api/auth/guest/refresh' });
  return JSON.parse(body).backstageIdentity.token;
}

/** @param options.withStock - whether to compare with backends that lack the gate */
export async function checkExec(run: Run, { withStock = false } = {}) {
  const cluster = new FakeCluster();
  const kubernetes = await cluster.start(CLUSTER);
  const start = async (...packages: string[]): Promise<Scene> => {
    const backend = await StockBackend.create(run, {
      packages: [...PACKAGES, ...packages],
      config: {
        kubernetes,
        permission: { enabled: false },
        auth: { apiGate: { ...RULES, expect: [] } },
      },
    });
    await backend.child.start();
    const { port } = backend;
    return { run, cluster, port, token: await signIn(port) };
  };
  const scene = await start(GATE);
  await checkBearer(scene);
  await checkRules(scene);
  await checkSession(scene);
  if (withStock) {
    await checkStock(run, start);
  }
}

async function checkBearer({ run, cluster, port, token }: Scene) {
  const { report } = run;
  await report.check('[P11] kubectl exec runs with a token', async () => {
    expectEqual('the output', await exec(port, token), 'HELLO');
    expectEqual('what arrives', cluster.takeArrived(), [
      `GET ${execIn('default')} Bearer ${CLUSTER_TOKEN}`,
    ]);
    return 'the cluster gets its own token';
  });
  await report.check('[P11] no exec runs without a valid token', async () => {
    for (const each of [undefined, forge(token)]) {
      expectEqual('the output', await exec(port, each), 401);
    }
    // It offers five protocols, and the token is the sixth one that might authenticate.
    expectEqual('client-node', await statusOfClient(port, token), 401);
    expectEqual('what arrives', cluster.takeArrived(), []);
    return 'nothing arrives at the cluster';
  });
}

async function checkRules({ run, cluster, port, token }: Scene) {
  await run.report.check('[P11] rules for an exec', async () => {
    const answers: Record<string, unknown> = {};
    for (const namespace of [
      'opened-for-websocket',
      'opened-for-get',
      DENIED,
    ]) {
      const path = `${PROXY}${execIn(namespace)}`;
      const answersTo = async (bearer?: string) => [
        await exec(port, bearer, namespace),
        (await send(port, { path, bearer })).status,
        (await send(port, { path, bearer, method: 'POST' })).status,
      ];
      const [anonymous, user] = [await answersTo(), await answersTo(token)];
      answers[namespace] = { anonymous, user };
    }
    // The cluster answers 400 to a request that is no upgrade.
    const user = ['HELLO', 400, 400];
    expectEqual('WebSocket, GET and POST', answers, {
      'opened-for-websocket': { anonymous: ['HELLO', 401, 401], user },
      'opened-for-get': { anonymous: [401, 400, 401], user },
      [DENIED]: { anonymous: [401, 401, 401], user: [403, 400, 403] },
    });
    cluster.takeArrived();
    return Object.keys(answers).join(', ');
  });
}

async function checkSession({ run, cluster, port }: Scene) {
  const { report } = run;
  const token = await signIn(port);
  const path = '/api/kubernetes/clusters';
  const cookie = gateCookieOf(await send(port, { path, bearer: token }));
  const own = `http://localhost:${port}`;
  await report.check(
    "[P11] the frontend's terminal needs its origin",
    async () => {
      const other = 'http://evil.example.com';
      expectEqual('other', await openTerminal(port, cookie, other), 403);
      expectEqual('what arrives', cluster.takeArrived(), []);
      return 'another one is 403';
    },
  );
  await report.check('[P11] a sign-out closes each exec', async () => {
    const sockets = [
      (await openTerminal(port, cookie, own)) as WebSocket,
      (await openKubectl(port, token)) as WebSocket,
    ];
    const { execs } = cluster;
    expectEqual('what arrives', cluster.takeArrived().length, 2);
    const { status } = await signOut(port, cookie, { plugin: 'kubernetes' });
    expectEqual('the answer', status, 204);
    const took = await until('each is closed', 5_000, async () =>
      [...sockets, ...execs].every(
        ({ readyState }) => readyState === WebSocket.CLOSED,
      ),
    );
    expectEqual('by a token', await exec(port, token), 401);
    expectEqual('by a cookie', await openTerminal(port, cookie, own), 401);
    expectEqual('what arrives', cluster.takeArrived(), []);
    return `in ${Math.round(took)} ms, and refuses others`;
  });
}

/** What is not the gate's: an exec needs a server that nothing listens to for upgrades. */
async function checkStock(
  run: Run,
  start: (...packages: string[]) => Promise<Scene>,
) {
  await run.report.check('an exec without the gate', async () => {
    const { port, token } = await start();
    expectEqual('anonymous', await exec(port), 401);
    expectEqual('user', await exec(port, token), 'HELLO');
    expectEqual('client-node', await statusOfClient(port, token), 101);
    return 'with a token alone';
  });
  await run.report.check('an exec beside signals is 404', async () => {
    for (const packages of [[SIGNALS], [SIGNALS, GATE]]) {
      const { cluster, port, token } = await start(...packages);
      cluster.takeArrived();
      expectEqual(packages.join(), await exec(port, token), 404);
      expectEqual('what arrives', cluster.takeArrived(), []);
    }
    return 'without the gate, and with it';
  });
}
