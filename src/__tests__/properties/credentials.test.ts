import fc from 'fast-check';
import { checkProperty } from '../__testUtils__/checkProperty';
import {
  CookiePair,
  HeaderLine,
  judge,
  KnownTokens,
} from '../__testUtils__/credentialModel';
import { exchangeBytes } from '../__testUtils__/exchangeBytes';
import { mostly } from '../__testUtils__/mostly';
import {
  ACCEPTED,
  REFUSED,
  startCredentialScene,
} from '../__testUtils__/startCredentialScene';

jest.setTimeout(90_000);

const FRONTEND = 'http://localhost:3000';

const anyToken = fc.constantFrom(...ACCEPTED, ...ACCEPTED, ...REFUSED);

const anyAuthorization: fc.Arbitrary<HeaderLine> = fc
  .record({
    name: fc.constantFrom('Authorization', 'authorization', 'AUTHORIZATION'),
    scheme: mostly(
      ['Bearer ', 'bearer   '],
      ['', 'Basic ', 'DPoP ', 'Bearer', 'Bearer\t', 'Bearer Bearer '],
      2,
    ),
    token: anyToken.map(name => `{${name}}`),
    more: mostly([''], [' ', ' x', ',', ', Bearer {user}', ';'], 2),
  })
  .map(({ name, scheme, token, more }) => ({
    kind: 'authorization',
    name,
    value: scheme + token + more,
  }));

const noBearer: fc.Arbitrary<HeaderLine> = fc.constantFrom(
  { kind: 'authorization', name: 'Authorization', value: '' },
  { kind: 'authorization', name: 'Authorization', value: 'Bearer' },
  { kind: 'authorization', name: 'Authorization', value: 'Bearer x' },
);

const anyPairs: fc.Arbitrary<CookiePair[]> = fc
  .record({
    token: anyToken,
    form: mostly(
      ['whole', 'parts', 'reversed'],
      ['quoted', 'escaped', 'first', 'second', 'empty', 'misnamed', 'stock'],
      2,
    ),
  })
  .map(({ token, form }) => {
    const whole = `{${token}}`;
    const first = pair('token.0', `{${token}:0}`);
    const second = pair('token.1', `{${token}:1}`);
    switch (form) {
      case 'parts':
        return [first, second];
      case 'reversed':
        return [second, pair('a', '1'), first];
      case 'quoted':
        return [pair('token', whole, `"${whole}"`)];
      case 'escaped':
        return [pair('token', whole, `{${token}%}`)];
      case 'first':
        return [first];
      case 'second':
        return [second];
      case 'empty':
        return [pair('token', '')];
      case 'misnamed':
        return ['Token', 'tokens', 'token.', 'token.01', 'xtoken'].map(name =>
          pair(name, whole),
        );
      case 'stock':
        return [pair('backstage-auth', '{limited}')];
      default:
        return [pair('token', whole)];
    }
  });

function pair(name: string, value: string, written = value): CookiePair {
  return { name, value, written };
}

const anyCookies: fc.Arbitrary<HeaderLine> = fc
  .array(anyPairs, { minLength: 1, maxLength: 2 })
  .map(pairs => ({ kind: 'cookie', pairs: pairs.flat() }));

const anyOther: fc.Arbitrary<HeaderLine> = fc
  .constantFrom(
    `Origin: ${FRONTEND}`,
    'Origin: https://evil.example.com',
    'Origin: null',
    'Sec-Fetch-Site: same-origin',
    'Sec-Fetch-Site: cross-site',
    'Sec-Fetch-Site: none',
    'Connection: authorization, cookie',
    'Proxy-Authorization: Bearer {user}',
    'X-Authorization: Bearer {user}',
    'X-Access-Token: {user}',
    'X-Forwarded-User: user:default/user',
    'X-Forwarded-For: 127.0.0.1',
    'X-Original-URL: /api/auth',
    'X-HTTP-Method-Override: GET',
    'Sec-WebSocket-Protocol: {user}',
    'Referer: http://localhost:3000/?token={user}',
  )
  .map(line => {
    const [name, value] = line.split(/: (.*)/);
    return { kind: 'other', name, value };
  });

const anyRequest = fc.record({
  method: fc.constantFrom(
    ...['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'],
  ),
  target: fc.constantFrom(
    ...['/api/closed/x', '/api/closed', '/api/CLOSED//x;a#', '/api/closed/%00'],
    '/api/closed/x?token={user}',
    'http://any/api/closed/x',
  ),
  // A request has at most three of these lines, and usually one.
  lines: fc
    .tuple(
      fc.array(fc.oneof(anyAuthorization, anyCookies), { maxLength: 2 }),
      fc.option(noBearer, { freq: 4, nil: undefined }),
      fc.array(anyOther, { maxLength: 2 }),
    )
    .chain(([credentials, none, others]) =>
      fc.shuffledSubarray(
        [...credentials, ...(none ? [none] : []), ...others],
        {
          minLength: credentials.length,
        },
      ),
    ),
});

function textOf(line: HeaderLine): string {
  return line.kind === 'cookie'
    ? `Cookie: ${line.pairs
        .map(({ name, written }) => `${name}=${written}`)
        .join('; ')}`
    : `${line.name}: ${line.value}`;
}

describe('a backend with a token of every kind', () => {
  let scene: Awaited<ReturnType<typeof startCredentialScene>>;
  let known: KnownTokens;

  beforeAll(async () => {
    scene = await startCredentialScene();
    const { user, otherUser, service, external, restricted } = scene.tokens;
    known = {
      users: new Map([
        [user, 'user:default/user'],
        [otherUser, 'user:default/other'],
      ]),
      services: new Set([service, external]),
      restricted: new Set([restricted]),
    };
  });
  afterAll(() => scene.stop());

  function filled(line: HeaderLine): HeaderLine {
    const { fill } = scene;
    return line.kind === 'cookie'
      ? {
          kind: 'cookie',
          pairs: line.pairs.map(({ name, value, written }) =>
            pair(name, fill(value), fill(written)),
          ),
        }
      : { ...line, value: fill(line.value) };
  }

  it('[P5] judges a request by its one credential, whatever else it carries', () =>
    checkProperty(
      fc.asyncProperty(anyRequest, async ({ method, target, lines }) => {
        const { port, reached, fill } = scene;
        const sent = lines.map(filled);
        const expected = judge(method, sent, known, [
          FRONTEND,
          `http://localhost:${port}`,
        ]);
        reached.length = 0;
        const answers = await exchangeBytes(
          port,
          Buffer.from(
            [
              `${method} ${fill(target)} HTTP/1.1`,
              'Host: localhost',
              'Connection: close',
              ...sent.map(textOf),
              '\r\n',
            ].join('\r\n'),
            'latin1',
          ),
        );
        const statuses = answers.map(({ status }) => status);
        if ('refusedWith' in expected) {
          expect(statuses).toEqual([expected.refusedWith]);
          expect(reached).toEqual([]);
        } else {
          expect(statuses).toEqual([200]);
          expect(reached).toHaveLength(1);
          const [{ authorization, cookie, userEntityRef }] = reached;
          expect(authorization?.split(/ +/)[1]).toBe(expected.token);
          expect(cookie ?? '').not.toMatch(/(^|; *)token(\.\d)?=/);
          expect(userEntityRef ?? 'a service').toBe(expected.passesAs);
        }
      }),
      { runs: 150, seconds: 10 },
    ));
});
