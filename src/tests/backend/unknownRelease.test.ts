import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createBackend } from '@backstage/backend-defaults';
import {
  coreServices,
  createBackendPlugin,
  createServiceFactory,
  RootLoggerService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { rawRequest } from '../../__testUtils__/rawRequest';

jest.setTimeout(60_000);

const log = () => {};
const silent: RootLoggerService = {
  error: log,
  warn: log,
  info: log,
  debug: log,
  child: () => silent,
};

const ran: string[] = [];
const hello = createBackendPlugin({
  pluginId: 'hello',
  register(reg) {
    reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        ran.push('init');
        httpRouter.addAuthPolicy({ path: '/', allow: 'unauthenticated' });
        httpRouter.use((_, res) => res.json({}));
      },
    });
  },
});

// The module of `startBackend` would load the gate.
const freePort = () =>
  new Promise<number>(resolve => {
    const server = createServer().listen(0, 'localhost', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/** Starts a real backend that installs the gate as an adopter's does; the gate loads changed modules of Backstage. */
async function startOn(changed: Record<string, object | undefined>) {
  const port = await freePort();
  const backend = createBackend();
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () =>
        new ConfigReader({
          app: { baseUrl: `http://localhost:${port}` },
          backend: {
            baseUrl: `http://localhost:${port}`,
            listen: { port, host: 'localhost' },
            database: { client: 'better-sqlite3', connection: ':memory:' },
          },
        }),
    }),
  );
  backend.add(
    createServiceFactory({
      service: coreServices.rootLogger,
      deps: {},
      factory: () => silent,
    }),
  );
  backend.add(hello);
  for (const [module, exports] of Object.entries(changed)) {
    jest.doMock(module, () => ({ ...jest.requireActual(module), ...exports }));
  }
  // Jest has no `import()`. A module that throws on load rejects it in the same way.
  backend.add(Promise.resolve().then(() => require('../..')));
  const error = await backend.start().then(
    () => undefined,
    cause => String(cause),
  );
  const answer = await rawRequest(port, '/api/hello/x').then(
    ({ status }) => status,
    () => 'no connection',
  );
  await backend.stop().catch(() => {});
  Object.keys(changed).forEach(module => jest.dontMock(module));
  return { error, answer };
}

const api = jest.requireActual('@backstage/backend-plugin-api');
const { authServiceFactory } = jest.requireActual(
  '@backstage/backend-defaults/auth',
);

it.each([
  [
    'a class is gone',
    { '@backstage/backend-defaults/httpAuth': { DefaultHttpAuthService: {} } },
    'DefaultHttpAuthService.create of @backstage/backend-defaults/httpAuth',
  ],
  [
    'a function is gone',
    {
      '@backstage/backend-defaults/httpRouter': {
        createLifecycleMiddleware: undefined,
      },
    },
    'createLifecycleMiddleware of @backstage/backend-defaults/httpRouter',
  ],
  [
    'a factory keeps its parts to itself',
    {
      '@backstage/backend-defaults/auth': {
        authServiceFactory: { service: authServiceFactory.service },
      },
    },
    'authServiceFactory.deps of @backstage/backend-defaults/auth',
  ],
  [
    'a core service is gone',
    {
      '@backstage/backend-plugin-api': {
        coreServices: { ...api.coreServices, permissionsRegistry: undefined },
      },
    },
    'coreServices.permissionsRegistry of @backstage/backend-plugin-api',
  ],
])(
  'does not start, and names what has changed: %s',
  async (_, changed, missing) => {
    ran.length = 0;
    const { error, answer } = await startOn(changed);
    expect(error).toMatch(
      /^Error: API gate does not work with this release of Backstage \(backend-defaults \d+\.\d+\.\d+\), which lacks .*$/,
    );
    expect(error).toContain(missing);
    expect(answer).toBe('no connection');
    expect(ran).toEqual([]);
  },
);

it('starts once nothing is changed', async () => {
  ran.length = 0;
  expect(await startOn({})).toEqual({ error: undefined, answer: 401 });
  expect(ran).toEqual(['init']);
});
