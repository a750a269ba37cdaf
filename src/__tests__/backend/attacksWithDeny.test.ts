import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { CONFUSIONS } from '../attacks/corpus/paths';
import { ATTACKS } from '../attacks/corpus/rules';

// Every path of the plugin is denied, to all users but one. The twin has routers of Express 5.
jest.mock('../__testUtils__/attackedSettings', () => ({
  attackedSettings: {
    apiGate: {
      deny: [
        { plugin: 'hello', path: '/**', except: ['user:default/excepted'] },
      ],
    },
    backend: {},
    changeRule: (rule: unknown) => rule,
  },
}));

const backend = useAttackedBackend();

const REQUESTS = [
  ...CONFUSIONS.map(each => ({ ...each, method: 'GET' })),
  ...ATTACKS.map(({ method = 'GET', ...each }) => ({ ...each, method })),
];

describe.each(REQUESTS)(
  '[P115] $id, $product: $flaw (V1, V8, J15)',
  ({ method, targets }) => {
    it.each(targets)(`${method} %s`, async target => {
      const send = async (sub: string) =>
        backend().attempt({
          method,
          target,
          headerLines: [
            `Authorization: Bearer ${await backend().sign({ sub })}`,
          ],
        });
      const denied = await send('user:default/denied');
      expect(denied.response.status).toBe(403);
      expect(denied.handled).toEqual([]);
      expect(denied.counted).toEqual(['hello refused denied bearer']);
      const excepted = await send('user:default/excepted');
      expect(excepted.response.status).toBe(200);
      expect(excepted.handled).toHaveLength(1);
      const anonymous = await backend().attempt({ method, target });
      expect(anonymous.response.status).toBe(401);
      expect(anonymous.handled).toEqual([]);
    });
  },
);
