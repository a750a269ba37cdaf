import { ConfigReader } from '@backstage/config';
import { createReloadableConfig } from '../__tests__/__testUtils__/reloadableConfig';
import { createParts, readStartPauseMs } from './createParts';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

it('reads revocations at the interval of the configuration in force', async () => {
  const configWith = (pollInterval: string) => ({
    backend: { baseUrl: 'http://localhost' },
    auth: { apiGate: { revocation: { pollInterval } } },
  });
  const { config, change } = createReloadableConfig(configWith('1s'));
  const ignore = () => {};
  const system = { getInstalledPlugins: async () => [] };
  const { revocations } = await createParts({
    config,
    // Releases differ in what else it has.
    instance: system as never,
    missingFeatures: [],
    logger: { error: ignore, info: ignore, warn: ignore } as never,
    system,
  });
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
  (lifecycle, ms) =>
    expect(readStartPauseMs(new ConfigReader({ backend: { lifecycle } }))).toBe(
      ms,
    ),
);
