import type { JsonObject } from '@backstage/types';
import { createReloadableConfig } from '../__tests__/__testUtils__/reloadableConfig';
import { createParts } from './createParts';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Makes the parts of a gate with one plugin, which does not register. */
async function create(settings: JsonObject) {
  const { config, change } = createReloadableConfig(settings);
  const ignore = () => {};
  const system = { getInstalledPlugins: async () => [{ pluginId: 'hello' }] };
  const parts = await createParts({
    config,
    // Releases differ in what else it has.
    instance: system as never,
    logger: { error: ignore, info: ignore, warn: ignore } as never,
    system,
  });
  return { ...parts, change };
}

it('reads revocations at the interval of the configuration in force', async () => {
  const configWith = (pollInterval: string) => ({
    backend: { baseUrl: 'http://localhost' },
    auth: { apiGate: { revocation: { pollInterval } } },
  });
  const { change, revocations } = await create(configWith('1s'));
  const read = jest.fn(async () => ({ revocations: [] }));
  await revocations.follow({ read, add: async () => {} });
  const readsIn = async (milliseconds: number) => {
    read.mockClear();
    await jest.advanceTimersByTimeAsync(milliseconds);
    return read.mock.calls.length;
  };
  expect(await readsIn(10_000)).toBe(10);
  change(configWith('5s'));
  await jest.advanceTimersByTimeAsync(1_000);
  expect(await readsIn(10_000)).toBe(2);
  change(configWith('wrong'));
  expect(await readsIn(10_000)).toBe(2);
  revocations.stop();
});

it.each([
  [{}, 5_000],
  [{ startupRequestPauseTimeout: { seconds: 2 } }, 2_000],
])(
  'requests wait for a plugin by backend.lifecycle %j: %i ms',
  async (lifecycle, ms) => {
    const backend = { baseUrl: 'http://localhost', lifecycle };
    const { plugins } = await create({ backend });
    const refused = jest.fn();
    plugins.installed('hello')!.started().catch(refused);
    await jest.advanceTimersByTimeAsync(ms - 1);
    expect(refused).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(refused).toHaveBeenCalledTimes(1);
  },
);
