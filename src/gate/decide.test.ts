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
    [string, string | undefined, string, string[], Partial<ApiGateConfig>]
  >([
    ['no credential', 'of the reader', '/read', [], {}],
    ['the cookie', 'of the reader', '/read', ['Cookie: token=x'], {}],
    [
      'Backstage’s own cookie',
      'of the reader',
      '/read',
      ['Cookie: backstage-auth=x'],
      {},
    ],
    ['a password', 'of the reader', '/read', [PASSWORD], {}],
    ['a bearer', 'x', '/read', ['Authorization: Bearer x'], {}],
    ['a token in the header', 'x', '/read', ['X-Backstage-Token: x'], {}],
    ['none in report-only', undefined, '/read', [], { mode: 'report-only' }],
    ['none beyond the limits', undefined, '/read', [], { tokens: limits }],
    ['none by another rule', undefined, '/open', [], {}],
  ])(
    'with %s has the handler read with the token %s',
    async (_, token, path, headerLines, settings) => {
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
