import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { ATTACKS, nameOf } from '../__testUtils__/wellKnownAttacks';

const backend = useAttackedBackend();

// `src/__tests__/backend/ownRouters.test.ts` and `integration/packages/legacy` send them where no router of Backstage serves these paths.
describe('[P1] paths that Backstage serves to anybody (V1, V5, V6, V7, A1, A2)', () => {
  const statuses = (plugin: string) => ({
    keys: plugin === 'hello' ? 200 : 404,
    'signed out': 204,
    refused: 401,
  });

  describe.each(['hello', 'absent'])('of the plugin %s', plugin => {
    it.each(ATTACKS.map(attack => [nameOf(attack), attack] as const))(
      '%s',
      async (_, { method, path, headers, body, answer }) => {
        const { response, handled } = await backend().attempt({
          method,
          target: `/api/${plugin}${path}`,
          headerLines: headers,
          body,
        });
        expect(response.status).toBe(statuses(plugin)[answer]);
        expect(handled).toEqual([]);
      },
    );
  });
});
