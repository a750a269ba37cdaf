import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import { createForge, Forge } from '../__testUtils__/forge';
import { expectRefused } from '../__testUtils__/expectRefused';

const backend = useAttackedBackend();

/** The order of P-256, an upper bound of r and s (FIPS 186-4, D.1.2.3). */
const N = BigInt(
  '0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
);

const big = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);
const bytesOf = (value: bigint, length = 32) =>
  Buffer.from(value.toString(16).padStart(2 * length, '0'), 'hex');

/** A change of r and s, each of 32 bytes. */
type Change = (r: Buffer, s: Buffer) => Buffer[];

const ZERO = Buffer.alloc(1);

/** Invalid signatures, after the ES256 groups of Wycheproof's tests. */
const NOT_SIGNATURES: Record<string, Change> = {
  'r + 1': (r, s) => [bytesOf(big(r) + 1n), s],
  's + 1': (r, s) => [r, bytesOf(big(s) + 1n)],
  'a flipped bit in the middle of r': (r, s) => [flip(r), s],
  'a flipped bit in the middle of s': (r, s) => [r, flip(s)],
  'n − r': (r, s) => [bytesOf(N - big(r)), s],
  'n − r and n − s': (r, s) => [bytesOf(N - big(r)), bytesOf(N - big(s))],
  's and r': (r, s) => [s, r],
  'r and r': r => [r, r],
  'r = 0': (_, s) => [bytesOf(0n), s],
  's = 0': r => [r, bytesOf(0n)],
  'r = s = 0': () => [bytesOf(0n), bytesOf(0n)],
  'r = s = 1': () => [bytesOf(1n), bytesOf(1n)],
  'r = 1': (_, s) => [bytesOf(1n), s],
  'r = n': (_, s) => [bytesOf(N), s],
  's = n': r => [r, bytesOf(N)],
  'r = n, s = 0': () => [bytesOf(N), bytesOf(0n)],
  'r = s = n': () => [bytesOf(N), bytesOf(N)],
  'r = s = n − 1': () => [bytesOf(N - 1n), bytesOf(N - 1n)],
  'r = s = n + 1': () => [bytesOf(N + 1n), bytesOf(N + 1n)],
  'all bits': () => [Buffer.alloc(64, 0xff)],
  'r + n, of 33 bytes': (r, s) => [bytesOf(big(r) + N, 33), s],
  's + n, of 33 bytes': (r, s) => [r, bytesOf(big(s) + N, 33)],
  'r + n and s + n, of 33 bytes': (r, s) => [
    bytesOf(big(r) + N, 33),
    bytesOf(big(s) + N, 33),
  ],
  'r + 256 n, of 34 bytes': (r, s) => [bytesOf(big(r) + 256n * N, 34), s],
  'a zero before r': (r, s) => [ZERO, r, s],
  'a zero before s': (r, s) => [r, ZERO, s],
  'a zero before each': (r, s) => [ZERO, r, ZERO, s],
  'a zero behind': (r, s) => [r, s, ZERO],
  'a zero behind each': (r, s) => [r, ZERO, s, ZERO],
  'padded to 96 bytes': (r, s) => [Buffer.alloc(16), r, Buffer.alloc(16), s],
  'padded to 132 bytes': (r, s) => [Buffer.alloc(34), r, Buffer.alloc(34), s],
  twice: (r, s) => [r, s, r, s],
  'r alone': r => [r],
  's alone': (_, s) => [s],
  'one byte less': (r, s) => [r, s.subarray(0, 31)],
  'one byte less in front': (r, s) => [r.subarray(1), s],
  'half of each': (r, s) => [r.subarray(0, 16), s.subarray(0, 16)],
  nothing: () => [],
  'one byte': () => [Buffer.from([1])],
  'in DER': (r, s) => [der(r, s)],
  'in DER, of n − s': (r, s) => [der(r, bytesOf(N - big(s)))],
  'in DER, with a byte behind': (r, s) => [der(r, s), ZERO],
};

function flip(bytes: Buffer): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[16] ^= 1;
  return flipped;
}

function der(r: Buffer, s: Buffer): Buffer {
  const integer = (bytes: Buffer) =>
    Buffer.concat([Buffer.from([2, bytes.length + 1, 0]), bytes]);
  const body = Buffer.concat([integer(r), integer(s)]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** Replaces the signature of a token. */
const withSignature = (token: string, change: (signature: string) => string) =>
  token.replace(/[^.]+$/, change);

const withChange = (token: string, change: Change) =>
  withSignature(token, text => {
    const bytes = Buffer.from(text, 'base64url');
    return Buffer.concat(
      change(bytes.subarray(0, 32), bytes.subarray(32)),
    ).toString('base64url');
  });

const bearer = (token: string) => `Authorization: Bearer ${token}`;
const cookie = (value: string) => `Cookie: token=${value}`;

const ALPHABET =
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Changes the last character of 64 bytes in base64url, in which four bits have no meaning. */
const withUnusedBits = (token: string, bits: number) =>
  token.slice(0, -1) +
  ALPHABET[(ALPHABET.indexOf(token.at(-1)!) & 0b110000) | bits];

/** Returns the header line that presents a token. */
type Spelling = { line: (token: string) => string };

/** Texts that are no base64url, and that a lenient verifier, which skips or replaces such characters, decodes to the same token. */
const MISSPELLINGS: Record<string, Spelling> = {
  'padding of one': { line: token => bearer(`${token}=`) },
  'padding of two': { line: token => bearer(`${token}==`) },
  'padding of three': { line: token => bearer(`${token}===`) },
  'a comma behind': { line: token => bearer(`${token},`) },
  'many characters behind': { line: token => bearer(token + '%'.repeat(999)) },
  'the alphabet of base64': {
    line: token =>
      bearer(
        withSignature(token, text =>
          text.replaceAll('-', '+').replaceAll('_', '/'),
        ),
      ),
  },
  'padding in the cookie': { line: token => cookie(`${token}==`) },
  'a line break behind, escaped in the cookie': {
    line: token => cookie(`${token}%0A`),
  },
};

/** Other texts that decode to the same token, and verify. The session must not depend on the text. */
const TWINS: Record<string, Spelling> = {
  'the token': { line: bearer },
  'the cookie': { line: cookie },
  'n − s': {
    line: token =>
      bearer(withChange(token, (r, s) => [r, bytesOf(N - big(s))])),
  },
  'n − s, in the cookie': {
    line: token =>
      cookie(withChange(token, (r, s) => [r, bytesOf(N - big(s))])),
  },
  ...Object.fromEntries(
    [1, 2, 4, 8, 15].map(bits => [
      `unused bits of ${bits}`,
      {
        line: (token: string) => bearer(withUnusedBits(token, bits)),
      },
    ]),
  ),
  'n − s and unused bits': {
    line: token =>
      bearer(
        withUnusedBits(
          withChange(token, (r, s) => [r, bytesOf(N - big(s))]),
          9,
        ),
      ),
  },
  'the scheme in lower case': {
    line: token => bearer(token).replace('Bearer', 'bearer'),
  },
  'spaces around': {
    line: token => `Authorization:   BEARER   ${token}  `,
  },
  'dots escaped in the cookie': {
    line: token => cookie(token.replaceAll('.', '%2E')),
  },
  'all of it escaped in the cookie': {
    line: token =>
      cookie(token.replace(/./g, c => `%${c.charCodeAt(0).toString(16)}`)),
  },
  'quotes in the cookie': {
    line: token => cookie(`"${token}"`),
  },
  'spaces around it in the cookie': {
    line: token => `Cookie: a=1;  token = ${token}  ; b=2`,
  },
  'twice in the cookie': {
    line: token => `Cookie: token=${token}; token="${token}"`,
  },
  'in two parts': {
    line: token =>
      `Cookie: token.0=${token.slice(0, 9)}; token.1=${token.slice(9)}`,
  },
  'in parts, the last first and escaped': {
    line: token =>
      `Cookie: token.2=${token.slice(50).replaceAll('.', '%2e')}; token.1=${token.slice(20, 50)}; token.0=${token.slice(0, 20)}`,
  },
};

describe('vectors', () => {
  let forge: Forge;
  let sessions = 0;

  beforeAll(() => {
    const { key, url } = backend();
    forge = createForge(key, `${url}/api/auth`);
  });

  const ask = (headerLine: string, target = '/api/hello/secret') =>
    backend().attempt({ target, headerLines: [headerLine] });

  const signOut = async (headerLine: string) => {
    const { response } = await backend().attempt({
      method: 'POST',
      target: '/api/auth/signs-in/logout',
      headerLines: [headerLine, 'Sec-Fetch-Site: same-origin'],
    });
    return response.status;
  };

  /** Returns a token of a new user. */
  const newToken = () => {
    sessions += 1;
    return forge.token({ claims: { sub: `user:default/user-${sessions}` } });
  };

  it.each(Object.keys(NOT_SIGNATURES))(
    '%s is no signature (T9)',
    async name => {
      const token = withChange(newToken(), NOT_SIGNATURES[name]);
      for (const kind of ['bearer', 'cookie'] as const) {
        const line = kind === 'bearer' ? bearer(token) : cookie(token);
        expectRefused(await ask(line), 'GET', {
          reason: 'invalid-token',
          credential: kind,
        });
      }
    },
  );

  /** Returns a token whose signature some misspellings can change. */
  const newTokenWithDash = (): string => {
    const token = newToken();
    return token.split('.')[2].includes('-') ? token : newTokenWithDash();
  };

  const credentialOf = (headerLine: string) =>
    headerLine.startsWith('Cookie') ? 'cookie' : 'bearer';

  it.each(Object.entries(MISSPELLINGS))(
    'a valid token is none with %s, and ends no session (T1)',
    async (_name, { line }) => {
      const token = newTokenWithDash();
      const presented = line(token);
      const credential = credentialOf(presented);
      expectRefused(await ask(presented), 'GET', {
        reason: 'invalid-token',
        credential,
      });
      expect(await signOut(presented)).toBe(404);
      const { counted } = await ask(bearer(token));
      expect(counted).toEqual(['hello passed bearer bearer']);
    },
  );

  // Handlers of public routes may read a bearer token, and Backstage verifies some of these texts.
  it.each(
    Object.entries(MISSPELLINGS).filter(
      ([, { line }]) => credentialOf(line('')) === 'bearer',
    ),
  )(
    '[P10] a token of a revoked session is refused on a public path, too, with %s (T1)',
    async (_name, { line }) => {
      const token = newTokenWithDash();
      expect(await signOut(cookie(token))).toBe(404);
      expectRefused(await ask(line(token), '/api/hello/health'), 'GET', {
        reason: 'invalid-token',
      });
    },
  );

  describe.each(Object.entries(TWINS))(
    '[P10] a twin: %s (T15)',
    (_name, { line }) => {
      it('verifies, until the session is revoked', async () => {
        const token = newToken();
        const credential = credentialOf(line(token));
        const { response, handled } = await ask(line(token));
        expect(response.status).toBe(200);
        expect(handled).toEqual(['hello GET /secret']);
        expect(backend().hello.handled.at(-1)!.user).toMatchObject({
          identity: { userEntityRef: `user:default/user-${sessions}` },
        });

        expect(await signOut(cookie(token))).toBe(404);
        expectRefused(await ask(line(token)), 'GET', {
          reason: 'revoked',
          credential,
        });
        // Handlers of public routes may read a bearer token.
        if (credential === 'bearer') {
          expectRefused(await ask(line(token), '/api/hello/health'), 'GET', {
            reason: 'revoked',
          });
        }
      });

      it('ends the session of all the others by signing out', async () => {
        const token = newToken();
        // A frontend never calls with a bearer token alone, but such a call ends the session as well.
        expect(await signOut(line(token))).toBe(404);
        const { counted } = await ask(bearer(token));
        expect(counted).toEqual(['hello refused revoked bearer']);
      });
    },
  );

  it.each<[string, Change]>([
    ['as it is', (r, s) => [r, s]],
    ['n − s', (r, s) => [r, bytesOf(N - big(s))]],
  ])(
    "a limited token in Backstage's own cookie, %s, ends with the session (P6, T15)",
    async (_name, change) => {
      const token = newToken();
      const limited = forge.token({
        header: { typ: 'vnd.backstage.limited-user' },
        claims: {
          sub: `user:default/user-${sessions}`,
          iss: undefined,
          aud: undefined,
        },
      });
      const line = `Cookie: backstage-auth=${withChange(limited, change)}`;
      const { response, handled } = await ask(line, '/api/docs/static/x');
      expect(response.status).toBe(200);
      expect(handled).toEqual(['docs GET /static/x']);
      expectRefused(await ask(line), 'GET');
      // Handlers of public routes may read the token.
      const seenByHandler = async () => {
        await ask(`${line}; a=1`, '/api/docs/static/public');
        return backend().docs.handled.at(-1)!.headers.cookie;
      };
      expect(await seenByHandler()).toBe(
        `${line.slice('Cookie: '.length)}; a=1`,
      );

      expect(await signOut(cookie(token))).toBe(404);
      expectRefused(await ask(line, '/api/docs/static/x'), 'GET', {
        plugin: 'docs',
        reason: 'revoked',
        credential: 'user-cookie',
      });
      expect(await seenByHandler()).toBe('a=1');
    },
  );
});
