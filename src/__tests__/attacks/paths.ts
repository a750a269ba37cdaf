import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import {
  expectRefused,
  expectUnroutable,
} from '../__testUtils__/expectRefused';
import { CONFUSIONS, NOWHERE, UNROUTABLE } from './corpus/paths';

const backend = useAttackedBackend();

describe('[P1] paths', () => {
  const withToken = async (target: string) =>
    backend().attempt({
      target,
      headerLines: [`Authorization: Bearer ${await backend().sign()}`],
    });

  it.each([
    '/api/hello/health',
    '/api/hello/public/a/b',
    '/api/hello/logo.svg',
  ])('plain GET %s passes by its rule (V8)', async target => {
    const { response, handled, counted, audited } = await backend().attempt({
      target,
    });
    expect(response.status).toBe(200);
    expect(handled).toEqual([`hello GET ${target.slice('/api/hello'.length)}`]);
    expect(counted).toEqual(['hello passed allow-rule none']);
    expect(audited).toEqual([]);
  });

  it('plain GET /api/hello/secret passes with a token alone (V9)', async () => {
    const target = '/api/hello/secret';
    expectRefused(await backend().attempt({ target }), 'GET');
    const { response, handled, counted } = await withToken(target);
    expect(response.status).toBe(200);
    expect(handled).toEqual(['hello GET /secret']);
    expect(counted).toEqual(['hello passed bearer bearer']);
  });

  describe.each(CONFUSIONS)('$id, $product: $flaw (V1)', ({ targets }) => {
    it.each(targets)('GET %s', async target => {
      expectRefused(await backend().attempt({ target }), 'GET');
      // The same bytes reach the plugin with a token: only the gate stops them.
      const { response, handled } = await withToken(target);
      expect(response.status).toBe(200);
      expect(handled).toHaveLength(1);
    });
  });

  describe.each(NOWHERE)('$id, $product: $flaw (S5, V1)', ({ targets }) => {
    it.each(targets)('GET %s', async target => {
      expectRefused(await backend().attempt({ target }), 'GET', {
        plugin: 'not installed',
      });
      const { response, handled } = await withToken(target);
      expect(response.status).toBe(404);
      expect(handled).toEqual([]);
    });
  });

  describe.each(UNROUTABLE)(
    '$id, $product: $flaw (no row: Node or Express answers)',
    ({ targets, status }) => {
      it.each(targets)('GET %j', async target => {
        expectUnroutable(await backend().attempt({ target }), status);
        expectUnroutable(await withToken(target), status);
      });
    },
  );

  describe('CVE-2022-31692, Spring Security: its filter ran for a request, and not when that was forwarded (V1)', () => {
    it.each([
      '/api/hello/secret',
      '/api/hello/health',
      '/api/forwarding/secret',
      '/api/docs/static/x',
    ])('to %s', async to => {
      const { response, handled, counted, audited } = await backend().attempt({
        target: `/api/forwarding/public/x?to=${to}`,
      });
      const [, , plugin] = to.split('/');
      expect(response.status).toBe(401);
      expect(handled).toEqual([]);
      expect(new Set(counted)).toEqual(
        new Set([
          'forwarding passed allow-rule none',
          `${plugin} refused missing-credentials none`,
        ]),
      );
      expect(audited).toEqual([`${plugin} missing-credentials GET`]);
    });

    it('with a token it is served', async () => {
      const { response, handled } = await withToken(
        '/api/forwarding/public/x?to=/api/hello/secret',
      );
      expect(response.status).toBe(200);
      expect(handled).toEqual(['hello GET /secret']);
    });
  });
});
