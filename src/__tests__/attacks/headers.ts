import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import {
  expectRefused,
  expectUnroutable,
  Refused,
} from '../__testUtils__/expectRefused';
import { CREDENTIALS, DECIDING } from './corpus/headers';

const backend = useAttackedBackend();

const SECRET = '/api/hello/secret';

/** Headers that servers read differently. Node refuses them. */
const MALFORMED: [id: string, product: string, headers: string][] = [
  ['CVE-2019-9900', 'Envoy', 'Authorization: Bearer x\0'],
  ['CVE-2019-16276', 'Go', 'Authorization : Bearer TOKEN'],
  ['CVE-2023-25725', 'HAProxy', ': x\r\nAuthorization: Bearer TOKEN'],
  ['CVE-2023-30589', 'Node.js', 'X: y\rAuthorization: Bearer TOKEN'],
];

describe('[P5] headers', () => {
  const fill = async (headers: string) => {
    const token = await backend().sign();
    const [start, end] = [token.slice(0, -40), token.slice(-36)];
    return headers
      .replaceAll('TOKEN', token)
      .replaceAll('FORGED', `${start}AAAA${end}`)
      .replaceAll('ATTACKER', new URL(backend().attacker.url).host)
      .split('\r\n');
  };

  describe.each(DECIDING)('$id, $product: $flaw (J6)', ({ headers }) => {
    it.each(headers)('%j', async lines => {
      const headerLines = await fill(lines);
      expectRefused(
        await backend().attempt({ target: SECRET, headerLines }),
        'GET',
      );
      // The header does not make a valid token another user's.
      const { response, handled } = await backend().attempt({
        target: SECRET,
        headerLines: [
          `Authorization: Bearer ${await backend().sign({ sub: 'user:default/jane' })}`,
          ...headerLines,
        ],
      });
      expect(response.status).toBe(200);
      expect(handled).toEqual(['hello GET /secret']);
      expect(backend().hello.handled.at(-1)!.user).toMatchObject({
        identity: { userEntityRef: 'user:default/jane' },
      });
    });
  });

  describe.each(CREDENTIALS)(
    '$id, $product: $flaw ($rows)',
    ({ headers, method = 'GET', refused }) => {
      it.each(headers)(`${method} with %j`, async lines => {
        const headerLines = await fill(lines);
        expectRefused(
          await backend().attempt({ method, target: SECRET, headerLines }),
          method,
          refused,
        );
      });
    },
  );

  it.each(['authorization', 'close, Authorization', 'cookie'])(
    'CVE-2022-1388, F5 BIG-IP: a valid token is accepted behind "Connection: %s" too (P2, P5)',
    async named => {
      const token = await backend().sign();
      for (const credential of [
        `Authorization: Bearer ${token}`,
        `Cookie: token=${token}`,
      ]) {
        const { response, handled } = await backend().attempt({
          target: SECRET,
          headerLines: [`Connection: ${named}`, credential],
        });
        expect(response.status).toBe(200);
        expect(handled).toEqual(['hello GET /secret']);
        expect(backend().hello.handled.at(-1)!.headers.authorization).toBe(
          `Bearer ${token}`,
        );
      }
    },
  );

  describe('CVE-2024-55591, Fortinet FortiOS: a WebSocket was let in by a token that nobody checked (V4, P4, T9, J6, J8)', () => {
    const upgrade = async (target: string, headers: string) =>
      backend().attempt({
        target,
        headerLines: [
          'Connection: Upgrade',
          'Upgrade: websocket',
          'Sec-WebSocket-Version: 13',
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
          ...(await fill(headers)),
        ],
      });

    it.each<[string, Refused]>([
      ['X: y', {}],
      [
        'Sec-WebSocket-Protocol: x',
        { reason: 'invalid-token', credential: 'bearer' },
      ],
      [
        'Sec-WebSocket-Protocol: FORGED',
        { reason: 'invalid-token', credential: 'bearer' },
      ],
      [
        'Cookie: token=TOKEN',
        { status: 403, reason: 'cross-site', credential: 'cookie' },
      ],
      [
        'Cookie: token=TOKEN\r\nOrigin: http://evil.example',
        { status: 403, reason: 'cross-site', credential: 'cookie' },
      ],
    ])('%j', async (headers, refused) => {
      // A rule for GET opens no upgrade: the second request is public otherwise.
      for (const target of [SECRET, '/api/hello/health']) {
        expectRefused(await upgrade(target, headers), 'WEBSOCKET', refused);
      }
    });

    it('a valid token is accepted', async () => {
      const { response, handled } = await upgrade(
        SECRET,
        'Sec-WebSocket-Protocol: TOKEN',
      );
      expect(response.status).toBe(200);
      expect(handled).toEqual(['hello GET /secret']);
    });
  });

  it.each(MALFORMED)(
    '%s, %s: %j (no row: Node answers)',
    async (_id, _product, lines) => {
      const headerLines = await fill(lines);
      expectUnroutable(
        await backend().attempt({ target: SECRET, headerLines }),
        400,
      );
    },
  );
});
