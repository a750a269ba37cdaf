import { rawUpgrade } from '../__testUtils__/rawUpgrade';
import { startListening } from '../__testUtils__/startListening';
import { TARGETS, UPGRADES } from './corpus/upgrades';

describe('[P11] upgrades', () => {
  let backend: Awaited<ReturnType<typeof startListening>>;

  beforeAll(async () => {
    backend = await startListening({
      allow: [{ plugin: 'hello', path: '/public', methods: ['WEBSOCKET'] }],
    });
  }, 60_000);
  afterAll(() => backend.stop());
  beforeEach(() => {
    backend.heard.length = 0;
  });

  it('reach the listener by a rule, and with a token (V3, V4)', async () => {
    const token = await backend.sign();
    const statuses = [
      await rawUpgrade(backend.port, '/api/hello/public'),
      await rawUpgrade(backend.port, '/api/hello/secret', [
        `Authorization: Bearer ${token}`,
      ]),
    ].map(({ status }) => status);
    expect(statuses).toEqual([418, 418]);
    expect(backend.heard).toHaveLength(2);
  });

  it.each(TARGETS)(
    '%s: %s is refused, and reaches no listener (V1, V4)',
    async (_, target) => {
      const { closed, status } = await rawUpgrade(backend.port, target);
      await closed;
      expect([400, 401, 404]).toContain(status);
      expect(backend.heard).toEqual([]);
    },
  );

  it.each(UPGRADES)(
    'to %s are refused, and reach no listener (V2, V4)',
    async (name, headerLines) => {
      const target =
        name === 'another letter case' ? '/api/hello/x' : '/api/hello/public';
      const { closed, status } = await rawUpgrade(
        backend.port,
        target,
        [],
        ['Connection: Upgrade', ...headerLines],
      );
      await closed;
      expect([status, backend.heard]).toEqual([401, []]);
    },
  );
});
