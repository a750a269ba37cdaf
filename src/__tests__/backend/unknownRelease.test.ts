import { createBackend } from '@backstage/backend-defaults';
import {
  coreServices,
  createServiceFactory,
  RootLoggerService,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { freePort } from '../__testUtils__/freePort';
import { rawRequest } from '../__testUtils__/rawRequest';
import { recordingPlugin } from '../__testUtils__/recordingPlugin';
import { backendConfig } from '../__testUtils__/startBackend';

jest.setTimeout(60_000);

const warnings: string[] = [];
const ignore = () => {};
const recording: RootLoggerService = {
  error: ignore,
  warn: message => void warnings.push(message),
  info: ignore,
  debug: ignore,
  child: () => recording,
};

const ran: string[] = [];
const hello = recordingPlugin('hello', {
  policies: [{ path: '/', allow: 'unauthenticated' }],
  init: () => void ran.push('init'),
});

/** Starts a real backend that installs the gate as an adopter's does; the gate loads changed modules of Backstage. */
async function startOn(changed: Record<string, object | undefined>) {
  warnings.length = 0;
  const port = await freePort();
  const backend = createBackend();
  backend.add(
    createServiceFactory({
      service: coreServices.rootConfig,
      deps: {},
      factory: () => new ConfigReader(backendConfig(port)),
    }),
  );
  backend.add(
    createServiceFactory({
      service: coreServices.rootLogger,
      deps: {},
      factory: () => recording,
    }),
  );
  backend.add(hello.feature);
  for (const [module, exports] of Object.entries(changed)) {
    jest.doMock(module, () => ({ ...jest.requireActual(module), ...exports }));
  }
  // Jest has no `import()`. A module that throws on load rejects it in the same way. The gate is loaded anew for each backend.
  const loadGate = () => {
    let gate;
    jest.isolateModules(() => {
      gate = require('../..');
    });
    return gate as any;
  };
  backend.add(Promise.resolve().then(loadGate));
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
  const lacks = warnings.filter(line => line.includes('lacks'));
  return { error, answer, lacks };
}

it('[P114] starts closed where the factories keep their parts to themselves, and logs what it lacks in one line', async () => {
  ran.length = 0;
  const { error, answer, lacks } = await startOn({
    '@backstage/backend-defaults/auth': { authServiceFactory: {} },
    '@backstage/backend-defaults/httpRouter': { httpRouterServiceFactory: {} },
  });
  expect({ error, answer, ran }).toEqual({
    error: undefined,
    answer: 401,
    ran: ['init'],
  });
  expect(lacks).toEqual([
    expect.stringMatching(
      /^API gate lacks features on this release \(backend-defaults \d+\.\d+\.\d+, Node [\d.]+\), and keeps closed what it can not know: uninstalled-plugins: .+; plugin-routers: .+$/,
    ),
    expect.stringMatching(/^API gate: 2 findings, 0 accepted\n/),
  ]);
});

it.each([
  ['httpAuth', { DefaultHttpAuthService: {} }],
  ['httpRouter', { createLifecycleMiddleware: undefined }],
])('does not start without a public export of %s', async (entry, exports) => {
  ran.length = 0;
  const { error, answer } = await startOn({
    [`@backstage/backend-defaults/${entry}`]: exports,
  });
  expect(error).toContain(Object.keys(exports)[0]);
  expect(answer).not.toBe(200);
  expect(ran).toEqual([]);
});

it('starts once nothing is changed', async () => {
  ran.length = 0;
  expect(await startOn({})).toEqual({
    error: undefined,
    answer: 401,
    lacks: [],
  });
  expect(ran).toEqual(['init']);
});
