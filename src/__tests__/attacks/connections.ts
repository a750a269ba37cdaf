import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { exchangeBytes } from '../__testUtils__/exchangeBytes';

const backend = useAttackedBackend();

const SMUGGLED = 'GET /api/docs/secret HTTP/1.1\r\nHost: localhost\r\n\r\n';
const SMUGGLED_LENGTH = SMUGGLED.length;

/** Requests with a token whose end two servers may read differently, each followed by a request without a token. */
const SMUGGLING: {
  id: string;
  product: string;
  flaw: string;
  /** The lines after `Host` and the credential, and all following bytes. */
  rest: string;
  statuses: number[];
}[] = [
  {
    id: 'CVE-2022-32215',
    product: 'Node.js',
    flaw: 'both lengths, and the chunked one in two lines',
    rest: `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n , identity\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2022-32213',
    product: 'Node.js',
    flaw: 'a transfer coding that only begins with "chunked"',
    rest: `Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2022-32214',
    product: 'Node.js',
    flaw: 'a line feed alone ended a header line',
    rest: `X: y\nTransfer-Encoding: chunked\r\nContent-Length: ${SMUGGLED_LENGTH + 5}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2023-30589',
    product: 'Node.js',
    flaw: 'a carriage return alone ended a header line',
    rest: `X: y\rContent-Length: ${SMUGGLED_LENGTH}\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2024-27982',
    product: 'Node.js',
    flaw: 'a space before Content-Length',
    rest: ` Content-Length: ${SMUGGLED_LENGTH}\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2021-40346',
    product: 'HAProxy',
    flaw: 'two lengths, one of them in a name too long for its counter',
    rest: `Content-Length0${'a'.repeat(255)}: \r\nContent-Length: ${SMUGGLED_LENGTH}\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2019-16276',
    product: 'Go',
    flaw: 'a space before the colon',
    rest: `Transfer-Encoding : chunked\r\nContent-Length: ${SMUGGLED_LENGTH + 5}\r\n\r\n0\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: 'CVE-2022-24801',
    product: 'Twisted',
    flaw: 'a length with a sign',
    rest: `Content-Length: +${SMUGGLED_LENGTH}\r\n\r\n${SMUGGLED}`,
    statuses: [400],
  },
  {
    id: '-',
    product: 'proxies that reuse connections',
    flaw: 'a body that looks like a request',
    rest: `Content-Length: ${SMUGGLED_LENGTH}\r\n\r\n${SMUGGLED}`,
    statuses: [200],
  },
  {
    id: 'CVE-2018-1002105',
    product: 'Kubernetes',
    flaw: 'what came next over an authenticated connection was authenticated',
    rest: `Content-Length: 0\r\n\r\n${SMUGGLED}`,
    statuses: [200, 401],
  },
  {
    id: 'CVE-2018-1002105',
    product: 'Kubernetes',
    flaw: 'the connection stayed open and trusted after an upgrade that failed',
    rest: `Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
    // Node then reads no further request.
    statuses: [200],
  },
];

/**
 * Sends bytes over one connection, for any number of requests, to the backend and to its twin, which has to answer with the same
 * statuses. Returns the status of each answer.
 */
async function statusesFor(bytes: string): Promise<number[]> {
  const { port, twin } = backend();
  const sent = Buffer.from(bytes, 'latin1');
  const [statuses, twins] = await Promise.all(
    [port, twin.port].map(async each =>
      (await exchangeBytes(each, sent, 20_000, 100)).map(
        ({ status }) => status,
      ),
    ),
  );
  expect(twins).toEqual(statuses);
  return statuses;
}

describe('connections (J6)', () => {
  describe.each(SMUGGLING)('$id, $product: $flaw', ({ rest, statuses }) => {
    it(`is answered by ${statuses}, and the second request never as the first`, async () => {
      const token = await backend().sign();
      const { response, handled, counted } = await backend().trace(() =>
        statusesFor(
          `POST /api/hello/secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${rest}`,
        ),
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
      statusesFor(
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
