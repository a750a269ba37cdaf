import { ConfigReader } from '@backstage/config';
import { watchStart } from './pluginRegistration';

it('a plugin is up from its start, for which Backstage limits the wait, until it stops', async () => {
  const lifecycle = { addStartupHook: jest.fn(), addShutdownHook: jest.fn() };
  const run = (added: jest.Mock) =>
    Promise.all(added.mock.calls.map(([hook]) => hook()));
  const backend = { lifecycle: { startupRequestPauseTimeout: '10ms' } };
  const config = new ConfigReader({ backend });
  const plugin = watchStart(config, lifecycle);
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
