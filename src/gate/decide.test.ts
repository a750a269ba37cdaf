import type { AllowRule } from '../config/AllowRule';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { startBareGate } from '../__testUtils__/startBareGate';
import { Plugins } from '../plugins/Plugins';

const rule = (path: string, as?: string): AllowRule => ({
  plugin: 'hello',
  path,
  methods: ['GET'],
  as,
});

describe('a rule with `as`', () => {
  const PASSWORD = 'Authorization: Basic x';
  const limits = [{ subject: 'reader', only: [rule('/other')] }];

  it.each<
    [string, string, string[], Partial<ApiGateConfig>, string | undefined]
  >([
    ['nobody', '/read', [], {}, 'of the reader'],
    ['the cookie', '/read', ['Cookie: token=x'], {}, 'of the reader'],
    [
      'Backstage’s own cookie',
      '/read',
      ['Cookie: backstage-auth=x'],
      {},
      'of the reader',
    ],
    ['a password', '/read', [PASSWORD], {}, 'of the reader'],
    ['a bearer', '/read', ['Authorization: Bearer x'], {}, 'x'],
    ['a token in the header', '/read', ['X-Backstage-Token: x'], {}, 'x'],
    ['nobody, in report-only', '/read', [], { mode: 'report-only' }, undefined],
    ['nobody, beyond its limits', '/read', [], { tokens: limits }, undefined],
    ['nobody, by another rule', '/open', [], {}, undefined],
  ])(
    'has the handler read for %s',
    async (_, path, headerLines, settings, token) => {
      const gate = await startBareGate({
        replaced: {
          publicReaders: {
            tokenFor: ({ as }) => as && 'of the reader',
            has: text => text === 'of the reader',
          },
        },
      });
      const used = jest.spyOn(gate.services.observer, 'externalTokenUsed');
      gate.policy = {
        credentialHeader: 'x-backstage-token',
        allow: [rule('/read', 'reader'), rule('/open')],
        ...settings,
      };
      await gate.send('GET', `/api/hello${path}`, ...headerLines);
      await gate.stop();
      expect(gate.handled.map(each => each.token)).toEqual([token]);
      expect(used.mock.calls.map(([subject]) => subject)).toEqual(
        token === 'of the reader' ? ['reader'] : [],
      );
    },
  );
});

it('opens no path of a plugin that has not registered', async () => {
  const policies = { acceptsUserCookie: () => false, isKnown: () => true };
  const gate = await startBareGate({
    replaced: { plugins: new Plugins(['hello'], policies) },
  });
  gate.policy = { allow: [rule('/open')] };
  const { status } = await gate.send('GET', '/api/hello/open');
  await gate.stop();
  expect([status, gate.handled]).toEqual([503, []]);
  expect(gate.decided[0].decision.reason).toBe('starting');
});
