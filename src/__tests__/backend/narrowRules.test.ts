import type { JsonObject } from '@backstage/types';
import { rawRequest } from '../__testUtils__/rawRequest';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import {
  SignedBackend,
  SignedBackendOptions,
  signedBackends,
} from '../__testUtils__/signedBackends';
import { COOKIE_PATH } from '../../gate/read/requestLine';
import { DeclaredPolicies } from '../../gate/plugins/DeclaredPolicies';

const startOf = (backend: SignedBackend): string =>
  backend.logged('API gate: enforce')[0].message;

const backends = signedBackends();
afterEach(() => jest.restoreAllMocks());
afterEach(backends.stopAll);

const start = (
  allow: JsonObject[],
  ...features: NonNullable<SignedBackendOptions['features']>
) => backends.start({ withAuth: false, features, apiGate: { allow } });

const statusOf = async (port: number, target: string, method = 'GET') =>
  (await rawRequest(port, target, { method })).status;

describe('[P36] a rule with * in a backend', () => {
  it('opens the credentials barrier of its plugin for no other path', async () => {
    const opened = jest.spyOn(DeclaredPolicies.prototype, 'openBarrier');
    const closed = recordingPlugin('badges');
    const { port } = await start(
      [{ plugin: 'badges', path: '/entity/*/*/*/badge/*' }],
      closed.feature,
    );
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
