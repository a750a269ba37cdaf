import fc from 'fast-check';
import { mostly } from './mostly';

const anyByte = fc.nat(255).map(code => String.fromCharCode(code));

/** Pieces of a path that routers, proxies and servers interpret differently. */
const ODD_PIECES = [
  ...['/', '//', '/.', '/..', '/./', '/../', '/..;/', ';', ';x=1', '..'],
  ...['\\', '\\..\\', '%5c', '%2f', '%2F', '%2e', '%2e%2e', '%61', '%3f'],
  ...['%23', '%00', '%', '%zz', '%c0%af', '#', '#x', '?', '?#', '?x=1'],
  ...['^^^^', '^', '"', '|', '{', '<', '`', "'", ' ', '\t', '\x00', '\x01'],
  ...['\x0b', '\x7f', '\x80', '\xa0', '\xff', '*', ':', '@', '!', '$', '&'],
  ...['(', ')', '+', ',', '=', '~', '.', '-', '_', 'A', 'a', 'x', '/x', '/**'],
];

const ODD_BEGINNINGS = [
  ...['http://any', 'HTTP://any:80', 'foo://any', 'http:', '//any', '/', '/.'],
  ...['/..', '/x/..', '/%2e%2e', '\\', '.', 'x', '*', '@any', 'any:80', '/;'],
  ...['http://[::1]', 'http://u:p@any', 'http:///', '/api', '/API', '?', '#'],
];

/** The number of usual parts for each odd one. */
const ODD_WEIGHT = 30;

const ODD_METHODS = [
  ...['HEAD', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'CONNECT', 'PROPFIND'],
  ...['M-SEARCH', 'SOURCE', 'PRI', 'QUERY', 'get', 'G ET', 'GET\x00', ''],
];

const ODD_VERSIONS = [
  ...['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ', 'HTTP/1.'],
  ...['', 'XTTP/1.1', 'HTTP/1.1\x00', 'HTTP/1.1 HTTP/1.1'],
];

const ODD_LINES = [
  ...['Upgrade: websocket', 'Upgrade: WebSocket', 'Upgrade: h2c', 'Upgrade:'],
  ...['Connection: upgrade', 'Connection: Upgrade, HTTP2-Settings'],
  ...['Connection: authorization', 'Connection: cookie, keep-alive'],
  ...['Sec-WebSocket-Version: 13', 'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA'],
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ...['Content-Length: 0', 'TE: trailers', 'Trailer: Cookie', 'A: \xff'],
  ...['Host: any', 'Host: ', 'Host: localhost:7007/api/auth/', 'Referer: /'],
  ...['Origin: null', 'Origin: http://localhost:3000', 'Via: 1.1 any'],
  ...['Access-Control-Request-Method: GET', 'Sec-Fetch-Site: same-origin'],
  ...['X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Prefix: /api/auth'],
  ...[
    'X-Forwarded-Host: any',
    'X-Forwarded-Proto: https',
    'Forwarded: for=::1',
  ],
  ...['X-Original-URL: /api/auth/x', 'X-Rewrite-URL: /api/auth/x'],
  ...['X-HTTP-Method-Override: OPTIONS', 'X-Forwarded-User: admin'],
  'x-middleware-subrequest: middleware:middleware:middleware:middleware',
  ...['User-Agent: kube-probe/1.30', 'User-Agent: Googlebot'],
  ...['If-None-Match: *', 'Range: bytes=0-', 'Accept: text/event-stream'],
];

const HANDSHAKE = [
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
].join('\r\n');

/** Header lines that most servers refuse, or interpret differently from the server in front. */
const BROKEN_LINES = [
  ...['Content-Length: 5', 'Content-Length: +5', 'Transfer-Encoding: chunked'],
  ...['Content-Length: 0\r\nContent-Length: 60', 'Transfer-Encoding : chunked'],
  ...['Transfer-Encoding: xchunked', 'Transfer-Encoding: chunked, identity'],
  ...['Expect: 100-continue', 'Expect: x', `A: ${'x'.repeat(17_000)}`],
  ...['NoColon', ': x', ' folded', '\tfolded', 'A b: c', 'A\x00: c', '\xff: c'],
  ...['A: \x00', 'A: \x01', 'A: \x7f', '', 'Authorization : Bearer x'],
];

const AUTHORIZATIONS = [
  ...['Bearer {}', 'bearer {}', 'Bearer  {} ', 'Bearer\t{}', 'Bearer {}, x'],
  ...['Basic Og==', '{}', 'Bearer', 'Bearer ', '', 'Basic', 'Negotiate x'],
  ...['Bearer null', 'Bearer undefined', 'Bearer \xff'],
];

const COOKIES = [
  ...[
    'token={}',
    'token="{}"',
    'token.0={}',
    'token.1={}',
    'token.0=;token={}',
  ],
  ...['token={}; token=x', 'backstage-auth={}', 'a=1;token={};b', '; ; ;', '='],
  ...['token', 'token=', 'token=%', '__proto__={}', 'token.99={}', '\xff=1'],
];

/**
 * Generates a request, or bytes that look like one, with odd parts in each place, and sometimes another request after it.
 *
 * @param tokens - the tokens for credentials
 */
export function oddExchanges(options: {
  targets: fc.Arbitrary<string>;
  tokens: fc.Arbitrary<string>;
}): fc.Arbitrary<string> {
  const { targets, tokens } = options;
  const credentialLine = fc
    .tuple(
      fc.oneof(
        fc
          .tuple(
            fc.constantFrom('Authorization', 'authorization', 'AUTHORIZATION'),
            fc.constantFrom(...AUTHORIZATIONS),
          )
          .map(([name, value]) => `${name}: ${value}`),
        fc.constantFrom(...COOKIES).map(value => `Cookie: ${value}`),
        fc.constantFrom(
          ...['Proxy-Authorization: Bearer {}', 'Sec-WebSocket-Protocol: {}'],
          ...['X-Auth-Token: {}', 'Sec-WebSocket-Protocol: a, {}, {}, b'],
        ),
      ),
      tokens,
    )
    .map(([line, token]) => line.replaceAll('{}', token));
  const request = fc
    .record({
      method: mostly(
        ['GET', 'GET', 'POST', 'OPTIONS'],
        ODD_METHODS,
        ODD_WEIGHT,
      ),
      target: targetsNear(targets),
      version: mostly(['HTTP/1.1'], ODD_VERSIONS, ODD_WEIGHT),
      gap: mostly([' '], ['  ', '\t', '', '\x0c'], ODD_WEIGHT),
      end: mostly(['\r\n'], ['\n', '\r', '\r\r\n'], ODD_WEIGHT),
      close: mostly(['Connection: close'], ['A: b'], ODD_WEIGHT),
      lines: fc.array(
        fc.oneof(
          { weight: 10, arbitrary: credentialLine },
          { weight: 10, arbitrary: fc.constantFrom(...ODD_LINES) },
          { weight: 4, arbitrary: fc.constant(HANDSHAKE) },
          { weight: 1, arbitrary: fc.constantFrom(...BROKEN_LINES) },
        ),
        { maxLength: 5 },
      ),
    })
    .map(({ method, target, version, gap, end, close, lines }) =>
      [
        `${method}${gap}${target}${gap}${version}`,
        ...['Host: localhost', close, ...lines, '', ''],
      ].join(end),
    );
  const withMore = fc
    .tuple(request, fc.oneof(fc.constantFrom('x', '0\r\n\r\n'), request))
    .map(parts => parts.join(''));
  const broken = fc
    .tuple(
      request,
      fc.nat(400),
      fc.string({ unit: anyByte, maxLength: 4 }),
      fc.nat(4),
    )
    .map(
      ([text, at, bytes, removed]) =>
        text.slice(0, at) + bytes + text.slice(at + removed),
    );
  return fc.oneof(
    { weight: 8, arbitrary: request },
    { weight: 1, arbitrary: withMore },
    { weight: 1, arbitrary: broken },
  );
}

type Edit = (text: string) => string;

const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 8, arbitrary: insertion(fc.constantFrom(...ODD_PIECES)) },
  {
    weight: 1,
    arbitrary: insertion(
      fc.string({
        // The bytes hold no line end, since the rest would be another line.
        unit: anyByte.filter(byte => byte !== '\r' && byte !== '\n'),
        minLength: 1,
        maxLength: 2,
      }),
    ),
  },
  edit(
    fc.record({ at: fc.nat(80), count: fc.integer({ min: 1, max: 3 }) }),
    ({ at, count }, text) =>
      text.slice(0, at % text.length) + text.slice((at % text.length) + count),
  ),
  edit(fc.nat(80), (at, text) =>
    [...text]
      .map((character, i) =>
        i === at % text.length ? otherCase(character) : character,
      )
      .join(''),
  ),
  edit(fc.constantFrom(...ODD_BEGINNINGS), (start, text) => start + text),
);

/** Generates targets with at most three odd changes, and often with none. */
export function targetsNear(
  targets: fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  const edits = fc.oneof(
    fc.constant<Edit[]>([]),
    fc.array(anyEdit, { minLength: 1, maxLength: 3 }),
  );
  return fc.tuple(targets, edits).map(([target, changes]) =>
    // An edit may leave an empty target, which a request can't have.
    changes.reduce((text, change) => change(text) || '/', target),
  );
}

function insertion(pieces: fc.Arbitrary<string>): fc.Arbitrary<Edit> {
  return edit(
    fc.record({ piece: pieces, at: fc.nat(80) }),
    ({ piece, at }, text) => {
      const index = at % (text.length + 1);
      return text.slice(0, index) + piece + text.slice(index);
    },
  );
}

function edit<T>(
  values: fc.Arbitrary<T>,
  change: (value: T, text: string) => string,
): fc.Arbitrary<Edit> {
  return values.map(value => (text: string) => change(value, text));
}

function otherCase(character: string): string {
  const upper = character.toUpperCase();
  return character === upper ? character.toLowerCase() : upper;
}
