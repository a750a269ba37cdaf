import {
  BareGate,
  ISSUER,
  startBareGate,
} from '../__testUtils__/startBareGate';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { now } from '../../gate/sessions/Revocation';

const HEADER = 'x-token';
const claimsOf = (sub: string) => ({ sub, iat: now(), exp: now() + 3600 });

/** The tokens of a user. */
function tokensOf(name: string) {
  const sub = `user:default/${name}`;
  const limited = unsignedToken('vnd.backstage.limited-user', claimsOf(sub));
  const iss = ISSUER;
  return {
    sub,
    full: unsignedToken('vnd.backstage.user', { iss, ...claimsOf(sub) }),
    limited,
    acting: unsignedToken('vnd.backstage.plugin', { sub: 'a', obo: limited }),
  };
}

type Tokens = ReturnType<typeof tokensOf>;

const signedOut = tokensOf('signed-out');
const other = tokensOf('other');

/** Returns a token with other characters before the end of its signature, some of which `jose` 5 skips. */
const withIn = (token: string, odd: string) =>
  `${token.slice(0, -1)}${odd}${token.slice(-1)}`;
const halves = (text: string) => [text.slice(0, 9), text.slice(9)];
const authorization = (value: string) => `Authorization: ${value}`;
const BAD = authorization('Bearer x');
const SOCKET = ['Connection: Upgrade', 'Upgrade: websocket'];
const protocols = (value: string) => `Sec-WebSocket-Protocol: ${value}`;

/** M3: the places and spellings in which a handler may read a token of a request that the gate refuses for another reason. */
const PLACES: [string, (tokens: Tokens) => string[]][] = [
  ['a first header', ({ full }) => [authorization(`Bearer ${full}`), BAD]],
  ['a second header', ({ full }) => [BAD, authorization(`bearer  ${full}`)]],
  ['a third one', ({ full }) => [BAD, BAD, authorization(`Bearer ${full}`)]],
  ['a limited token', ({ limited }) => [BAD, authorization(limited)]],
  ['a service', ({ acting }) => [BAD, authorization(`Bearer ${acting}`)]],
  ['another scheme', ({ full }) => [authorization(`Token ${full}`)]],
  ['a parameter', ({ full }) => [authorization(`Digest a="${full}", b=c`)]],
  ['two', ({ full }) => [authorization(`Token ${other.full} ${full}`)]],
  ...['"', ',', ';', '%', '*', ' ', '\u00e4', '\u00a0'].map(
    (odd): (typeof PLACES)[number] => [
      `a signature with ${JSON.stringify(odd)}`,
      ({ full }) => [authorization(`Bearer ${withIn(full, odd)}`)],
    ],
  ),
  [
    'a parameter with another behind it',
    ({ full }) => [authorization(`Digest a=${full};b`)],
  ],
  [
    'a signature with ";", and a word behind it',
    ({ full }) => [authorization(`Bearer ${withIn(full, ';')} b`)],
  ],
  [
    'a signature with a space, and a list behind it',
    ({ full }) => [authorization(`Bearer ${withIn(full, ' ')},b`)],
  ],
  ['padding', ({ full }) => [authorization(`Bearer ${full}==`)]],
  ['a cookie', ({ full }) => [`Cookie: token=${full}; token=x`]],
  ['two cookies', ({ full }) => ['Cookie: token=x', `Cookie: token=${full}`]],
  ['an escape', ({ full }) => [BAD, `Cookie: token=%65${full.slice(1)}`]],
  [
    'a cookie in parts',
    ({ full }) => [
      BAD,
      `Cookie: token.0=${halves(full)[0]}; token.1=${halves(full)[1]}`,
    ],
  ],
  ['the stock cookie', ({ limited }) => [`Cookie: backstage-auth=${limited}`]],
  [
    'two stock cookies',
    ({ full }) => [`Cookie: backstage-auth=x; backstage-auth=${full}`],
  ],
  [
    'the credential header, twice',
    ({ full }) => [`${HEADER}: x`, `${HEADER}: Bearer ${full}`],
  ],
  ['a protocol', ({ full }) => [...SOCKET, BAD, BAD, protocols(`a, ${full}`)]],
  [
    'two lines of protocols',
    ({ full }) => [...SOCKET, BAD, BAD, protocols('a'), protocols(full)],
  ],
  [
    'all protocols as one token',
    ({ full }) => [...SOCKET, BAD, BAD, protocols(withIn(full, ', '))],
  ],
];

describe('[P96] in report-only, a request that the gate refuses for another reason', () => {
  let gate: BareGate;
  beforeEach(async () => {
    gate = await startBareGate();
    gate.policy = { mode: 'report-only', credentialHeader: HEADER };
    for (const { sub, ...tokens } of [signedOut, other]) {
      const principal = { type: 'user', userEntityRef: sub };
      for (const token of Object.values(tokens)) {
        gate.tokens.set(token, principal);
      }
    }
    const iat = now() + 60;
    gate.revocations.add([
      { scope: 'user', sub: signedOut.sub, iat, exp: iat + 86_400 },
    ]);
  });
  afterEach(() => gate.stop());

  const send = (...lines: string[]) =>
    gate.send('GET', '/api/hello/x', ...lines);

  it.each(PLACES)(
    'ends by the token of a user who is signed out: %s',
    async (_, lines) => {
      const { status } = await send(...lines(signedOut));
      expect([status, gate.handled]).toEqual([401, []]);
      expect(gate.decided.at(-1)!.decision).toMatchObject({
        outcome: 'refused',
        reason: 'revoked',
        subject: signedOut.sub,
      });
      expect((await send(...lines(other))).status).toBe(200);
      expect(gate.decided.at(-1)!.decision.outcome).toBe('would-refuse');
    },
  );

  it('clears the cookie that ends it, and no other', async () => {
    const cookies = `Cookie: token=${signedOut.full}; token=x`;
    const { headers } = await send(cookies);
    expect(headers['set-cookie']).toContain('token=;');
    const byHeader = await send(
      BAD,
      authorization(signedOut.full),
      'Cookie: token=x',
    );
    expect(byHeader.status).toBe(401);
    expect(byHeader.headers['set-cookie']).toBeUndefined();
    const byBoth = await send(
      BAD,
      authorization(`Bearer ${signedOut.full}`),
      `Cookie: token=${signedOut.full}`,
    );
    expect(byBoth.status).toBe(401);
    expect(byBoth.headers['set-cookie']).toBeUndefined();
  });

  it('goes on by a token that does not verify, whatever it claims', async () => {
    gate.tokens.clear();
    for (const { full } of [signedOut, other]) {
      expect((await send(BAD, authorization(full))).status).toBe(200);
    }
  });

  it('verifies no token of another user', async () => {
    await send(BAD, authorization(other.full));
    expect(gate.asked).toEqual([]);
  });

  it('ends by more than five tokens of users, whoever they are', async () => {
    const tokens = Array.from({ length: 6 }, (_, i) =>
      authorization(tokensOf(`user${i}`).full),
    );
    expect((await send(...tokens.slice(1))).status).toBe(200);
    expect((await send(...tokens)).status).toBe(400);
    expect(gate.handled).toHaveLength(1);
    expect(gate.asked).toEqual([]);
  });

  it('ends by more texts like tokens than a client has use for', async () => {
    const texts = (count: number) =>
      authorization(
        Array.from({ length: count }, (_, i) => `eyJ.${i}.x`).join(' '),
      );
    expect((await send(texts(99))).status).toBe(200);
    expect((await send(texts(100))).status).toBe(401);
    expect(gate.handled).toHaveLength(1);
  });

  it('ends closed if a token can not be looked up by an unexpected error', async () => {
    gate.services.ownIssuer.trusts = async () => {
      throw new TypeError('not thought of');
    };
    expect((await send(BAD, authorization(other.full))).status).toBe(200);
    expect((await send(BAD, authorization(signedOut.full))).status).toBe(503);
    expect(gate.handled).toHaveLength(1);
  });
});
