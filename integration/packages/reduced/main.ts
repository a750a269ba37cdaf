// Uses the app that create-app makes on a release of Backstage without some features, which API_GATE_TEST_WITHOUT names: see `run`.
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { openedOrRefused } from '../../../src/__tests__/__testUtils__/openedOrRefused';
import { rawUpgrade } from '../../../src/__tests__/__testUtils__/rawUpgrade';
import { gateCookieOf, send, signOut, until } from '../../http';
import { expectEqual } from '../../Report';
import { Run, runChecks } from '../../runChecks';
import { EXTERNAL_TOKEN, StockBackend, USER } from './StockBackend';

const without = (process.env.API_GATE_TEST_WITHOUT ?? '')
  .split(',')
  .filter(feature => feature !== '');
const has = (feature: string) => !without.includes(feature);

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

runChecks({ name: 'reduced', limitMs: 120_000 }, async run => {
  const { report } = run;
  if (without.length === 0) {
    await checkStops(run);
  }
  const backend = await StockBackend.create(run);
  await report.check('the app starts', async () => {
    await backend.process.start();
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
});

async function checkStops(run: Run) {
  for (const { missing, added, reason } of STOPS) {
    await run.report.check(
      `the start stops without ${missing}${added ? `, beside ${added}` : ''}`,
      async () => {
        const options = { added, without: missing };
        const backend = await StockBackend.create(run, options);
        const ended = await backend.process.start().then(
          () => 'It started',
          (error: Error) => error.message,
        );
        expectEqual('the process', ended, 'Backend stock ended with 1');
        const line = backend.process.log
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
    const statuses = await Promise.all(
      [await tokenFor('events'), await tokenFor('catalog'), EXTERNAL_TOKEN].map(
        async token => (await backend.ask(token, absent)).status,
      ),
    );
    expectEqual(
      'for it, for another plugin, of an external service',
      statuses,
      [404, 401, has('uninstalled-plugins') ? 404 : 401],
    );
    return statuses.join(', ');
  });
}

/** The session of a user at the stock frontend. */
async function checkSession({ report }: Run, backend: StockBackend) {
  const { port } = backend;
  const signedIn = await send(port, { path: '/api/auth/guest/refresh' });
  const token: string = JSON.parse(signedIn.body).backstageIdentity.token;
  let cookie = '';
  await report.check(
    'the catalog, by the token and by the cookie',
    async () => {
      const took = await until(
        'the catalog has the template',
        30_000,
        async () => {
          const { body } = await backend.ask(token, '/api/catalog/entities');
          return body.some((each: any) => each.kind === 'Template');
        },
      );
      const path = '/api/catalog/entities';
      cookie = gateCookieOf(await send(port, { path, bearer: token }));
      expectEqual(
        'by cookie',
        (await send(port, { path, cookie })).status,
        200,
      );
      return `after ${Math.round(took)} ms`;
    },
  );
  const socket = (await openedOrRefused(
    new WebSocket(`ws://localhost:${port}/api/signals`, token),
  )) as WebSocket;
  const signals: string[] = [];
  await report.check('a WebSocket of signals opens', async () => {
    expectEqual('its state', socket.readyState, WebSocket.OPEN);
    socket.on('message', data =>
      signals.push(JSON.parse(String(data)).channel),
    );
    for (const channel of ['user-settings', 'notifications']) {
      socket.send(JSON.stringify({ action: 'subscribe', channel }));
    }
    // Signals has no answer to a subscription.
    await sleep(200);
    return 'subscribed';
  });
  await report.check('starring an entity works', async () => {
    const path = '/api/user-settings/buckets/starredEntities/keys/entityRefs';
    const body = { value: ['template:default/notify'] };
    const stored = await backend.ask(token, path, { method: 'PUT', body });
    expectEqual('the answer', stored.status, 200);
    const { body: read } = await backend.ask(token, path);
    expectEqual('what is stored', read.value, body.value);
    await until('the signal arrives', 5_000, async () =>
      signals.includes('user-settings'),
    );
    return 'stored, and signalled';
  });
  await report.check("a template's notification arrives", async () => {
    const tasks = '/api/scaffolder/v2/tasks';
    const body = { templateRef: 'template:default/notify', values: {} };
    const task = await backend.ask(token, tasks, { method: 'POST', body });
    expectEqual('the task', task.status, 201);
    let state = '';
    const took = await until('the task ends', 30_000, async () => {
      const read = await backend.ask(token, `${tasks}/${task.body.id}`);
      state = read.body.status;
      return state === 'completed' || state === 'failed';
    });
    expectEqual('the task', state, 'completed');
    const list = await backend.ask(token, '/api/notifications/notifications');
    expectEqual(
      'its users',
      list.body.notifications?.map((each: any) => each.user),
      [USER],
    );
    await until('the signal arrives', 5_000, async () =>
      signals.includes('notifications'),
    );
    return `after ${Math.round(took)} ms`;
  });
  await report.check(
    'a sign-out ends token, cookie and WebSocket',
    async () => {
      const closed = new Promise(resolve => socket.once('close', resolve));
      expectEqual(
        'the answer',
        (await signOut(port, cookie, { plugin: 'catalog' })).status,
        204,
      );
      await closed;
      const path = '/api/catalog/entities';
      for (const credential of [{ bearer: token }, { cookie }]) {
        const { status } = await send(port, { path, ...credential });
        expectEqual(Object.keys(credential)[0], status, 401);
      }
      const refused = await openedOrRefused(
        new WebSocket(`ws://localhost:${port}/api/signals`, token),
      );
      expectEqual('a WebSocket', refused, 401);
      return 'ended';
    },
  );
}
