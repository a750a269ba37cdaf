import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { smuggling, SMUGGLING } from './corpus/connections';

const backend = useAttackedBackend();

describe('connections (J6)', () => {
  describe.each(SMUGGLING)('$id, $product: $flaw', ({ rest, statuses }) => {
    it(`is answered by ${statuses}, and the second request never as the first`, async () => {
      const token = await backend().sign();
      const { response, handled, counted } = await backend().trace(() =>
        backend().exchange(smuggling(token, rest)),
      );
      expect(response).toEqual(statuses);
      const ofSecond = (lines: string[]) =>
        lines.filter(line => line.startsWith('docs'));
      expect(ofSecond(handled)).toEqual([]);
      expect(ofSecond(counted)).toEqual(
        statuses.includes(401) ? ['docs refused missing-credentials none'] : [],
      );
    });
  });

  it.each([
    [
      'CVE-2025-12642',
      'lighttpd',
      'trailers of a body were headers',
      'POST /api/hello/secret HTTP/1.1\r\nHost: localhost\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: Bearer TOKEN\r\nCookie: token=TOKEN\r\n\r\n',
      401,
    ],
    [
      'RFC 9112, 5.2',
      'parsers of folded lines',
      'what continues a line was a line',
      'GET /api/hello/secret HTTP/1.1\r\nHost: localhost\r\nX: y\r\n Authorization: Bearer TOKEN\r\n\r\n',
      400,
    ],
    [
      'RFC 9112, 2.3',
      'servers of HTTP/0.9',
      'a request without headers',
      'GET /api/hello/secret\r\n\r\n',
      401,
    ],
    [
      '-',
      'servers of HTTP/2 without TLS',
      'frames that no check understands',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      400,
    ],
    [
      'RFC 9112, 3.2.2',
      'proxies',
      'the host of the target, and that of the header',
      'GET http://localhost/api/hello/secret HTTP/1.1\r\nHost: evil.example\r\n\r\n',
      401,
    ],
    [
      'CVE-2022-22972',
      'VMware Workspace ONE Access',
      'whom to ask for the credential was what Host said',
      'GET /api/hello/secret HTTP/1.1\r\nHost: ATTACKER\r\nAuthorization: Bearer x.y.z\r\n\r\n',
      401,
    ],
    [
      'RFC 9112, 3.2',
      'servers that read one of two',
      'two hosts',
      'GET /api/hello/secret HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n',
      401,
    ],
  ])('%s, %s: %s', async (_id, _product, _flaw, bytes, status) => {
    const token = await backend().sign();
    const { response, handled, fetched } = await backend().trace(() =>
      backend().exchange(
        bytes
          .replaceAll('TOKEN', token)
          .replace('ATTACKER', new URL(backend().attacker.url).host),
      ),
    );
    expect(response).toEqual([status]);
    expect(handled).toEqual([]);
    expect(fetched).toEqual([]);
  });
});
