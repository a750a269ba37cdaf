const SMUGGLED = 'GET /api/docs/secret HTTP/1.1\r\nHost: localhost\r\n\r\n';
const SMUGGLED_LENGTH = SMUGGLED.length;

/** Requests with a token whose end two servers may read differently, each followed by a request without a token. */
export const SMUGGLING: {
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

/** Returns the bytes of such requests. */
export const smuggling = (token: string, rest: string) =>
  `POST /api/hello/secret HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n${rest}`;
