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
import { NEEDED_FIELDS } from '../../backstage/releaseFeatures';

jest.setTimeout(60_000);

const ignore = () => {};
const recording: RootLoggerService = {
  error: ignore,
  warn: ignore,
  info: ignore,
  debug: ignore,
  child: () => recording,
};

const ran: string[] = [];
const hello = recordingPlugin('hello', {
  policies: [{ path: '/', allow: 'unauthenticated' }],
  init: () => void ran.push('init'),
});

/** Returns an object that lacks what a path leads to. */
const without = (parent: any, [first, ...rest]: string[]): object =>
  Object.create(parent, {
    [first]: { value: rest.length ? without(parent[first], rest) : undefined },
  });

/** Starts a real backend that installs the gate as an adopter's does; the gate loads changed modules of Backstage. */
async function startOn(changed: Record<string, object | undefined>) {
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
  return { error, answer };
}

const needed = Object.entries(NEEDED_FIELDS).flatMap(([module, paths]) =>
  Object.keys(paths).map(path => [path, module] as const),
);

it.each(needed)(
  '[P114] does not start without %s of %s, and says so in one line',
  async (path, module) => {
    ran.length = 0;
    const [first, ...rest] = path.split('.');
    const { [first]: found } = jest.requireActual(module);
    const { error, answer } = await startOn({
      [module]: { [first]: rest.length ? without(found, rest) : undefined },
    });
    const lacking = `${path} of ${module}`.replace(/\W/g, '\\$&');
    expect(error).toMatch(
      new RegExp(
        `API gate does not work with this release of Backstage or Node .*, which lacks ${lacking}.*\\. It works with the releases of .* to November 2026 .*\\. Update .*`,
      ),
    );
    expect(answer).not.toBe(200);
    expect(ran).toEqual([]);
  },
);

it('starts once nothing is changed', async () => {
  ran.length = 0;
  expect(await startOn({})).toEqual({
    error: undefined,
    answer: 401,
  });
  expect(ran).toEqual(['init']);
});
