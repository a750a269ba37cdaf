import { startBareGate } from '../__tests__/__testUtils__/startBareGate';
import { Plugins } from './plugins/Plugins';

it('opens no path of a plugin that has not registered', async () => {
  const policies = { acceptsUserCookie: () => false, isKnown: () => true };
  const gate = await startBareGate({
    replaced: { plugins: new Plugins(['hello'], policies) },
  });
  gate.policy = {
    allow: [{ plugin: 'hello', path: '/open', methods: ['GET'] }],
  };
  const { status } = await gate.send('GET', '/api/hello/open');
  await gate.stop();
  expect([status, gate.handled]).toEqual([503, []]);
  expect(gate.decided[0].decision.reason).toBe('starting');
});
