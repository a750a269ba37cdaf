import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { rawRequest } from '../__testUtils__/rawRequest';
import {
  pluginExpress,
  recordingPlugin,
} from '../__testUtils__/recordingPlugin';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { startLegacyGate } from '../__testUtils__/startLegacyGate';
import { COOKIE_PATH } from '../../gate/read/requestLine';
import { DeclaredPolicies } from '../../gate/plugins/DeclaredPolicies';

const BADGE = { plugin: 'badges', path: '/entity/*/*/*/badge/*' };

/** Creates the routes and policies of `@backstage-community/plugin-badges-backend` 0.27.0, each with an answer of its own. */
function badgesPlugin() {
  return createBackendPlugin({
    pluginId: 'badges',
    register(reg) {
      reg.registerInit({
        deps: { httpRouter: coreServices.httpRouter },
        async init({ httpRouter }) {
          const router = pluginExpress.Router();
          for (const path of [
            '/entity/:namespace/:kind/:name/badge-specs',
            '/entity/:namespace/:kind/:name/badge/:badgeId',
            '/entity/:entityUuid/badge-specs',
            '/entity/:entityUuid/:badgeId',
            '/entity/:namespace/:kind/:name/obfuscated',
          ]) {
            router.get(path, (_req, res) => {
              res.json({ path });
            });
          }
          httpRouter.use(router);
          for (const path of [
            '/entity/:entityUuid/:badgeId',
            '/entity/:namespace/:kind/:name/badge/:badgeId',
          ]) {
            httpRouter.addAuthPolicy({ path, allow: 'unauthenticated' });
          }
        },
      });
    },
  });
}

const startOf = (backend: SignedBackend): string =>
  backend.logged('API gate: enforce')[0].message;

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

const start = (
  allow: JsonObject[],
  ...features: NonNullable<SignedBackendOptions['features']>
) => backends.start({ withAuth: false, features, apiGate: { allow } });

async function startLegacy(allow: object[]) {
  const legacy = await startLegacyGate({ apiGate: { allow } });
  backends.add(legacy);
  return legacy;
}

const statusOf = async (port: number, target: string, method = 'GET') =>
  (await rawRequest(port, target, { method })).status;

describe('[P36] a rule with * in a backend', () => {
  it('passes the badges of any entity, here and on the legacy system, and nothing beside them', async () => {
    const { port } = await start([BADGE], badgesPlugin());
    const legacy = await startLegacy([{ ...BADGE, plugin: 'pub' }]);
    for (const [path, expected] of [
      ['/entity/default/component/a/badge/pingback', 200],
      ['/entity/default/component/a:b/badge/*', 200],
      ['/entity/default/component/a/badge/pingback?style=flat', 200],
      ['/entity/default/component/a/badge-specs', 401],
      ['/entity/default/component/a/badge', 401],
      ['/entity/default/component/a/badge/', 401],
      ['/entity/default/component/a/badge/pingback/', 401],
      ['/entity/default/component/a/badge/pingback/x', 401],
      ['/entity/default/component/badge/pingback', 401],
      ['/entity/default//component/a/badge/pingback', 401],
      ['/entity/default//a/badge/pingback', 401],
      ['/entity/default/component/../badge/pingback', 401],
      ['/entity/default/component/%61/badge/pingback', 401],
      ['/entity/default/component/a;b/badge/pingback', 401],
      ['/entity/default/component/a/badge/pingback#', 401],
      ['/entity/default/component/a/Badge/pingback', 401],
      ['/entity/uuid/pingback', 401],
      ['/entity/uuid/badge-specs', 401],
      ['/entity', 401],
    ] as const) {
      const statuses = [
        await statusOf(port, `/api/badges${path}`),
        await statusOf(port, `/api/badges${path}`, 'HEAD'),
        await statusOf(port, `/api/badges${path}`, 'POST'),
        await statusOf(legacy.port, `/api/pub${path}`),
      ];
      expect([path, ...statuses]).toEqual([
        path,
        ...[expected, expected, 401, expected],
      ]);
    }
  });

  it('opens the credentials barrier of its plugin for no other path', async () => {
    const opened = jest.spyOn(DeclaredPolicies.prototype, 'openBarrier');
    const closed = recordingPlugin('badges');
    const { port } = await start([BADGE], closed.feature);
    expect(opened.mock.calls.map(([, path]) => path)).toEqual([
      COOKIE_PATH,
      '/entity/:p1/:p2/:p3/badge/:p5',
    ]);
    // The barrier is closed for everything else, and the gate is.
    for (const [path, status] of [
      ['/entity/a/b/c/badge/d', 200],
      ['/entity/a/b/c/badge/d/e', 401],
      ['/entity/a/b/c/badge-specs', 401],
    ] as const) {
      expect(await statusOf(port, `/api/badges${path}`)).toBe(status);
    }
    expect(closed.handled.map(({ path }) => path)).toEqual([
      '/entity/a/b/c/badge/d',
    ]);
  });
});

describe('[P36] rules for an app plugin of one’s own', () => {
  it.each([
    ['one', ['/hook']],
    ['a subtree', ['/hook/**']],
    ['nine', Array.from({ length: 9 }, (_, i) => `/p${i}`)],
  ])(
    'open nothing of its barrier, which is also at the root: %s',
    async (_, paths) => {
      const app = recordingPlugin('app');
      const methods = ['GET', 'POST'];
      const { port } = await start(
        paths.map(path => ({ plugin: 'app', path, methods })),
        app.feature,
      );
      for (const mount of ['', '/api/app']) {
        for (const path of ['/hook', '/hook/x', '/p0', '/p0/x', '/other']) {
          for (const method of ['GET', 'POST', 'DELETE']) {
            const target = `${mount}${path}`;
            const status = await statusOf(port, target, method);
            expect([method, target, status]).toEqual([method, target, 401]);
          }
        }
      }
      expect(app.handled).toEqual([]);
    },
  );
});

describe('[P37] a rule that ends', () => {
  const DEMO = {
    plugin: 'pub',
    path: '/demo/*',
    until: '2099-12-31T12:00:00Z',
  };

  it('does not stop the start after its end: it is closed, logged, and opens no barrier', async () => {
    const opened = jest.spyOn(DeclaredPolicies.prototype, 'openBarrier');
    const pub = recordingPlugin('pub');
    const ended = { ...DEMO, until: '2020-01-01' };
    const backend = await start([ended], pub.feature);
    expect(await statusOf(backend.port, '/api/pub/demo/x')).toBe(401);
    expect(pub.handled).toEqual([]);
    expect(opened.mock.calls.map(([, path]) => path)).toEqual([COOKIE_PATH]);
    expect(startOf(backend)).toContain(
      'GET   /api/pub/demo/*  until 2020-01-01T00:00:00.000Z',
    );
    const far = await start([DEMO], pub.feature);
    expect(startOf(far)).toContain(
      'GET   /api/pub/demo/*  until 2099-12-31T12:00:00.000Z',
    );
  });
});
