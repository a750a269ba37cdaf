import { ConfigReader } from '@backstage/config';
import { readStartPauseMs, watchStart } from './watchStart';

it('a plugin is up from its start, for which Backstage limits the wait, until it stops', async () => {
  const lifecycle = { addStartupHook: jest.fn(), addShutdownHook: jest.fn() };
  const run = (added: jest.Mock) =>
    Promise.all(added.mock.calls.map(([hook]) => hook()));
  const backend = { lifecycle: { startupRequestPauseTimeout: '10ms' } };
  const plugin = watchStart(new ConfigReader({ backend }), lifecycle);
  expect(plugin.isUp()).toBe(false);
  await expect(plugin.started()).rejects.toThrow('has not started up yet');
  expect(plugin.isUp()).toBe(false);
  const started = plugin.started();
  await run(lifecycle.addStartupHook);
  await started;
  expect(plugin.isUp()).toBe(true);
  await run(lifecycle.addShutdownHook);
  expect(plugin.isUp()).toBe(false);
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
