import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { readAllowRules } from '../../settings/read/readAllowRules';
import {
  expectRefused,
  expectUnroutable,
} from '../__testUtils__/expectRefused';
import { ATTACKS } from './corpus/rules';

const backend = useAttackedBackend();

/** Rules that cover more than their author may have intended. They stop the start. */
const DOUBTFUL_PATHS: [id: string, product: string, path: string][] = [
  ['CVE-2023-34034', 'Spring Security', '**'],
  ['CVE-2023-20860', 'Spring Framework', '**/health'],
  ['CVE-2023-42793', 'JetBrains TeamCity', '/**/RPC2'],
  ['CVE-2025-54576', 'OAuth2 Proxy', '^/public/.*$'],
  ['CVE-2022-22978', 'Spring Security', '/public/.+'],
  ['CVE-2022-32532', 'Apache Shiro', '/public/(.*)'],
  ['CVE-2021-20090', 'Arcadyan routers', '/images*'],
  ['CVE-2026-73563', 'Backstage auth-backend', '/*/badge'],
  ['CVE-2026-73563', 'Backstage auth-backend', '/entity/a*/badge'],
  ['CVE-2026-73563', 'Backstage auth-backend', '/entity/**/badge'],
  ['CVE-2019-9901', 'Envoy', '/public/../health'],
  ['CVE-2021-29492', 'Envoy', '/public%2fhealth'],
  ['CVE-2020-1957', 'Apache Shiro', '/health;x'],
  ['CVE-2016-5007', 'Spring Security', '/health '],
  ['CVE-2022-22978', 'Spring Security', '/health\n'],
];

describe('[P2] rules', () => {
  it.each([
    ['GET', '/api/hello/health'],
    ['HEAD', '/api/hello/health'],
    ['GET', '/api/hello/health?/secret'],
    ['POST', '/api/hello/hook'],
    ['GET', '/api/hello/entity/a/badge/b'],
    ['HEAD', '/api/hello/entity/*/badge/**?x'],
  ])('plain %s %s passes by its rule (V8)', async (method, target) => {
    const { response, handled, counted } = await backend().attempt({
      method,
      target,
    });
    expect(response.status).toBe(200);
    expect(handled).toHaveLength(1);
    expect(counted).toEqual(['hello passed allow-rule none']);
  });

  describe.each(ATTACKS)(
    '$id, $product: $flaw (V1, V9)',
    ({ targets, method = 'GET' }) => {
      it.each(targets)(`${method} %s`, async target => {
        expectRefused(await backend().attempt({ method, target }), method);
        const { response, handled } = await backend().attempt({
          method,
          target,
          headerLines: [`Authorization: Bearer ${await backend().sign()}`],
        });
        expect(response.status).toBe(200);
        expect(handled).toHaveLength(1);
      });
    },
  );

  it.each(['JEFF', 'get', 'Get', 'GETS'])(
    'CVE-2010-0738, JBoss: %s is no method (no row: Node answers)',
    async method => {
      const target = '/api/hello/health';
      expectUnroutable(await backend().attempt({ method, target }), 400);
    },
  );

  it.each(DOUBTFUL_PATHS)(
    '%s, %s: no rule can be %j (no row: the start stops)',
    (_id, _product, path) => {
      expect(() =>
        readAllowRules([{ plugin: 'hello', path }], 'allow'),
      ).toThrow('allow[0].path');
    },
  );
});
