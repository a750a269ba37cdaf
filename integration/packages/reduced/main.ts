// Uses the app that create-app makes on a release of Backstage without some features, which API_GATE_TEST_WITHOUT names: see `run`.
import { WebSocket } from 'ws';
import { lacksFeature } from '../../../src/__tests__/__testUtils__/lacksFeature';
import { forge } from '../../../src/__tests__/__testUtils__/requestParts';
import { openedOrRefused } from '../../../src/__tests__/__testUtils__/openedOrRefused';
import { rawUpgrade } from '../../../src/__tests__/__testUtils__/rawUpgrade';
import { gateCookieOf, send, signOut, until } from '../../http';
import { expectEqual } from '../../Report';
import { Run, runChecks } from '../../runChecks';
import { checkExec } from './checkExec';
import { APP, EXTERNAL_TOKEN, StockBackend, USER } from './StockBackend';

const without = (process.env.API_GATE_TEST_WITHOUT ?? '')
  .split(',')
  .filter(feature => feature !== '');

/** States in which the start stops: the features that are missing, a plugin, and the reason. */
const STOPS = [
  {
    missing: 'uninstalled-plugins',
    added: '@backstage/plugin-gateway-backend',
    reason:
      /^API gate does not work with this release of Backstage beside the plugin gateway \(backend-defaults 0\.20\.0\), .* remove the plugin gateway, or /,
  },
  {
    missing: 'server-search,server-emit',
    reason: /^API gate can not find the HTTP servers of this backend: /,
  },
];

const ENTITIES = '/api/catalog/entities';
const TEMPLATE = 'template:default/notify';

/** Requests to each plugin of the app, and to one that is not installed. */
const CLOSED = [
  'GET /api/auth/api-gate/v1/policy',
  'GET /api/caller/token-for/catalog',
  'GET /api/catalog/entities',
  'GET /api/kubernetes/clusters',
  'POST /api/mcp-actions/v1',
  'GET /api/notifications/',
  'GET /api/permission/.backstage/permissions/metadata',
  'GET /api/proxy/x',
  'GET /api/scaffolder/v2/tasks',
  'GET /api/search/query?term=x',
  'GET /api/signals',
  'GET /api/techdocs/static/docs/x',
  'PUT /api/user-settings/buckets/starred/keys/x',
  'GET /api/not-installed/x',
  'POST /api/events/bus/v1/events',
];

runChecks({ name: 'reduced', limitMs: 180_000 }, async run => {
  const { report } = run;
  if (without.length === 0) {
    await checkStops(run);
  }
  const backend = await StockBackend.create(run);
  await report.check('[P114] the app starts', async () => {
    await backend.child.start();
    return backend.nameLogged(without);
  });
  await checkClosed(run, backend);
  await checkTokensOfServices(run, backend);
  await checkSession(run, backend);
  await report.check('api-gate check --live exits with 0', async () => {
    const printed = await backend.checkLive();
    return printed.trim().split('\n').at(-1)!;
  });
  await report.check('no answer is a 5xx', async () => {
    const statuses = backend.logged
      .filter(({ type }) => type === 'incomingRequest')
      .map(({ status }) => Number(status));
    const failed = statuses.filter(status => status >= 500);
    expectEqual('the answers', failed, []);
    return `${statuses.length} answers`;
  });
  await checkExec(run, { withStock: without.length === 0 });
});

async function checkStops(run: Run) {
  for (const { missing, added, reason } of STOPS) {
    await run.report.check(
      `the start stops without ${missing}${added ? `, beside ${added}` : ''}`,
      async () => {
        const packages = [...APP, ...(added ? [added] : [])];
        const options = { packages, without: missing };
        const backend = await StockBackend.create(run, options);
        const ended = await backend.child.start().then(
          () => 'It started',
          (error: Error) => error.message,
        );
        expectEqual('the process', ended, 'Backend stock ended with 1');
        const line = backend.child.log
          .split('\n')
          .map(text => text.replace(/^Error: /, ''))
          .find(text => reason.test(text));
        expectEqual('a line with the reason', line !== undefined, true);
        return line!.slice(0, 100);
      },
    );
  }
}

/** What nobody may do. */
async function checkClosed({ report }: Run, { port }: StockBackend) {
  await report.check('[P1] nothing answers without a credential', async () => {
    for (const request of CLOSED) {
      const [method, path] = request.split(' ');
      const { status } = await send(port, { method, path });
      expectEqual(request, status, 401);
      const upgrade = await rawUpgrade(port, path);
      upgrade.destroy();
      expectEqual(`an upgrade of ${path}`, upgrade.status, 401);
    }
    return `${CLOSED.length} requests and upgrades`;
  });
  await report.check('[P2] what is public answers', async () => {
    const open = ['/', '/api/caller/public', '/api/auth/guest/refresh'];
    for (const path of open) {
      expectEqual(path, (await send(port, { path })).status, 200);
    }
    return open.join(', ');
  });
}

/** What services may do at a plugin that is not installed. */
async function checkTokensOfServices({ report }: Run, backend: StockBackend) {
  const absent = '/api/events/bus/v1/events';
  const tokenFor = async (pluginId: string): Promise<string> => {
    const path = `/api/caller/token-for/${pluginId}`;
    return (await backend.ask(EXTERNAL_TOKEN, path)).body.token;
  };
  await report.check('a plugin that is not installed', async () => {
    const own = await tokenFor('events');
    const tokens = {
      own,
      'of another plugin': await tokenFor('catalog'),
      external: EXTERNAL_TOKEN,
      forged: forge(own),
    };
    const statuses: Record<string, number> = {};
    for (const [name, token] of Object.entries(tokens)) {
      statuses[name] = (await backend.ask(token, absent)).status;
    }
    expectEqual('the answers to tokens', statuses, {
      own: 404,
      'of another plugin': 401,
      external: lacksFeature('uninstalled-plugins') ? 401 : 404,
      // Without the feature, the gate can't verify it.
      forged: lacksFeature('uninstalled-plugins') ? 404 : 401,
    });
    return JSON.stringify(statuses);
  });
}

/** What the stock frontend has of a session. */
interface Session {
  token: string;
  cookie: string;
  socket: WebSocket;
  /** The channels of the signals that have arrived. */
  signals: string[];
}

/** The session of a user at the stock frontend. */
async function checkSession({ report }: Run, backend: StockBackend) {
  const session = await openSession(backend);
  await report.check('a session, by the token and by the cookie', async () => {
    const { token, cookie } = session;
    for (const credential of [{ bearer: token }, { cookie }]) {
      const answer = await send(backend.port, {
        path: ENTITIES,
        ...credential,
      });
      expectEqual(Object.keys(credential)[0], answer.status, 200);
    }
    return ENTITIES;
  });
  await report.check('starring an entity works', () => star(backend, session));
  await report.check("a template's notification arrives", () =>
    notify(backend, session),
  );
  await report.check('a sign-out ends token, cookie and WebSocket', () =>
    endSession(backend, session),
  );
}

const openSignals = ({ port }: StockBackend, token: string) =>
  openedOrRefused(new WebSocket(`ws://localhost:${port}/api/signals`, token));

async function openSession(backend: StockBackend): Promise<Session> {
  const { port } = backend;
  const signedIn = await send(port, { path: '/api/auth/guest/refresh' });
  const token: string = JSON.parse(signedIn.body).backstageIdentity.token;
  const first = await send(port, { path: ENTITIES, bearer: token });
  const socket = (await openSignals(backend, token)) as WebSocket;
  const signals: string[] = [];
  socket.on('message', data => signals.push(JSON.parse(String(data)).channel));
  for (const channel of ['user-settings', 'notifications']) {
    socket.send(JSON.stringify({ action: 'subscribe', channel }));
  }
  return { token, cookie: gateCookieOf(first), socket, signals };
}

async function star(backend: StockBackend, { token, signals }: Session) {
  const path = '/api/user-settings/buckets/starredEntities/keys/entityRefs';
  const value = [TEMPLATE];
  const options = { method: 'PUT', body: { value } };
  // Signals answers no subscription: the first signal may come before it.
  await until('a signal of user-settings', 5_000, async () => {
    const { status } = await backend.ask(token, path, options);
    expectEqual('the answer', status, 200);
    return signals.includes('user-settings');
  });
  const { body } = await backend.ask(token, path);
  expectEqual('what is stored', body.value, value);
  return 'stored, and signalled';
}

async function notify(backend: StockBackend, { token, signals }: Session) {
  // The catalog reads its files some time after the start.
  await until('the catalog has the template', 30_000, async () => {
    const { body } = await backend.ask(token, ENTITIES);
    return body.some(({ kind }: { kind: string }) => kind === 'Template');
  });
  const tasks = '/api/scaffolder/v2/tasks';
  const task = await backend.ask(token, tasks, {
    method: 'POST',
    body: { templateRef: TEMPLATE, values: {} },
  });
  expectEqual('the answer', task.status, 201);
  let state = '';
  await until('the task ends', 30_000, async () => {
    const { body } = await backend.ask(token, `${tasks}/${task.body.id}`);
    state = body.status;
    return state === 'completed' || state === 'failed';
  });
  expectEqual('the task', state, 'completed');
  const { body } = await backend.ask(token, '/api/notifications/notifications');
  const users = body.notifications.map(({ user }: { user: string }) => user);
  expectEqual('who has a notification', users, [USER]);
  const took = await until('a signal of notifications', 5_000, async () =>
    signals.includes('notifications'),
  );
  return `its signal after ${Math.round(took)} ms`;
}

async function endSession(backend: StockBackend, session: Session) {
  const { port } = backend;
  const { token, cookie, socket } = session;
  const { status } = await signOut(port, cookie, { plugin: 'catalog' });
  expectEqual('the answer', status, 204);
  for (const credential of [{ bearer: token }, { cookie }]) {
    const answer = await send(port, { path: ENTITIES, ...credential });
    expectEqual(Object.keys(credential)[0], answer.status, 401);
  }
  expectEqual('a new WebSocket', await openSignals(backend, token), 401);
  await until(
    'the WebSocket is closed',
    5_000,
    async () => socket.readyState === WebSocket.CLOSED,
  );
  return 'each is refused';
}
