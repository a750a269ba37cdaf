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
