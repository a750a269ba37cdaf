import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { inspect } from 'node:util';
import { useAttackedBackend } from '../__testUtils__/attackedBackend';
import {
  attackersKey,
  createForge,
  ecdsa,
  Forge,
  hmac,
  Signer,
} from '../__testUtils__/forge';
import { expectRefused } from '../__testUtils__/expectRefused';

const backend = useAttackedBackend();

const NO_SIGNATURE: Signer = () => Buffer.alloc(0);
const ZEROS: Signer = () => Buffer.alloc(64);

const attacker = attackersKey();
const byAttacker = ecdsa(attacker.privateKey);
const attackersJwk = attacker.publicKey.export({ format: 'jwk' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

interface Forgery {
  id: string;
  product: string;
  flaw: string;
  /** Tokens by their peculiarity. `url` is the attacker's server, which serves the attacker's key under each path. */
  tokens: Record<string, (forge: Forge, url: string) => string>;
}

/** Published bypasses in which a verifier trusted a token's own text. The backend has signed none of these tokens as they claim. */
const FORGERIES: Forgery[] = [
  {
    id: 'CVE-2022-23540',
    product: 'jsonwebtoken',
    flaw: 'without a key, "none" was an algorithm',
    tokens: Object.fromEntries(
      ['none', 'None', 'NONE', 'nOnE', 'none ', '', null, undefined].flatMap(
        alg => [
          [
            `${alg}, unsigned`,
            (forge: Forge) =>
              forge.token({ header: { alg }, signer: NO_SIGNATURE }),
          ],
          [
            `${alg}, with another token's signature`,
            (forge: Forge) =>
              forge.token({
                header: { alg },
                signer: () =>
                  Buffer.from(forge.token().split('.')[2], 'base64url'),
              }),
          ],
        ],
      ),
    ),
  },
  {
    id: 'CVE-2021-22160',
    product: 'Apache Pulsar',
    flaw: '"none" was an algorithm, with a key too',
    tokens: {
      'twice, "none" last': forge =>
        forge.token({
          header: '{"typ":"vnd.backstage.user","alg":"ES256","alg":"none"}',
          signer: NO_SIGNATURE,
        }),
      'twice, "none" first': forge =>
        forge.token({
          header: '{"alg":"none","typ":"vnd.backstage.user","alg":"ES256"}',
          signer: NO_SIGNATURE,
        }),
      'in a list': forge =>
        forge.token({
          header: { alg: ['none', 'ES256'] },
          signer: NO_SIGNATURE,
        }),
      'of the type before 1.24': forge =>
        forge.token({
          header: { alg: 'none', typ: 'JWT' },
          signer: NO_SIGNATURE,
        }),
    },
  },
  {
    id: 'CVE-2020-28042',
    product: 'ServiceStack',
    flaw: 'a token without a signature verified',
    tokens: {
      'an empty one': forge => forge.token({ signer: NO_SIGNATURE }),
      'no third part': forge => forge.token().split('.').slice(0, 2).join('.'),
      'an empty fourth part': forge =>
        `${forge.token({ signer: NO_SIGNATURE })}.`,
    },
  },
  {
    id: 'CVE-2015-9235',
    product: 'jsonwebtoken',
    flaw: 'with the public key as its secret, an HMAC verified',
    tokens: {
      'HS256 with the PEM': forge =>
        forge.token({
          header: { alg: 'HS256' },
          signer: hmac(forge.publicPem),
        }),
      'HS384 with the PEM': forge =>
        forge.token({
          header: { alg: 'HS384' },
          signer: hmac(forge.publicPem, 'sha384'),
        }),
      'HS512 with the PEM': forge =>
        forge.token({
          header: { alg: 'HS512' },
          signer: hmac(forge.publicPem, 'sha512'),
        }),
      'HS256 that says ES256': forge =>
        forge.token({ signer: hmac(forge.publicPem) }),
    },
  },
  {
    id: 'CVE-2022-29217',
    product: 'PyJWT',
    flaw: 'it knew some spellings of a public key only, and took the others for a secret',
    tokens: {
      'the PEM, trimmed': forge =>
        forge.token({
          header: { alg: 'HS256' },
          signer: hmac(forge.publicPem.trim()),
        }),
      'the DER': forge =>
        forge.token({
          header: { alg: 'HS256' },
          signer: hmac(forge.publicKey.export({ format: 'der', type: 'spki' })),
        }),
      'the JWK': forge =>
        forge.token({
          header: { alg: 'HS256' },
          signer: hmac(
            JSON.stringify(forge.publicKey.export({ format: 'jwk' })),
          ),
        }),
    },
  },
  {
    id: 'CVE-2019-20933',
    product: 'InfluxDB',
    flaw: 'the secret was empty',
    tokens: {
      'HS256 with an empty secret': forge =>
        forge.token({ header: { alg: 'HS256' }, signer: hmac('') }),
      'HS256 with the id of the key': forge =>
        forge.token({ header: { alg: 'HS256' }, signer: hmac('test-key') }),
    },
  },
  {
    id: 'CVE-2022-21449',
    product: 'Java ("psychic signatures")',
    flaw: 'r and s of zero were a signature of everything',
    tokens: {
      'in 64 bytes': forge => forge.token({ signer: ZEROS }),
      'in 2 bytes': forge => forge.token({ signer: () => Buffer.alloc(2) }),
      'in DER': forge =>
        forge.token({ signer: () => Buffer.from('3006020100020100', 'hex') }),
    },
  },
  {
    id: 'CVE-2018-0114',
    product: 'node-jose',
    flaw: 'the token brought its own key',
    tokens: {
      'in jwk': forge =>
        forge.token({ header: { jwk: attackersJwk }, signer: byAttacker }),
      'in jwk, without kid': forge =>
        forge.token({
          header: { jwk: attackersJwk, kid: undefined },
          signer: byAttacker,
        }),
      'in jwk, with the kid of its own': forge =>
        forge.token({
          header: { jwk: { ...attackersJwk, kid: 'evil' }, kid: 'evil' },
          signer: byAttacker,
        }),
      'in x5c': forge =>
        forge.token({
          header: {
            x5c: [
              attacker.publicKey
                .export({ format: 'der', type: 'spki' })
                .toString('base64'),
            ],
          },
          signer: byAttacker,
        }),
    },
  },
  {
    id: 'RFC 8725, 3.10',
    product: 'libraries that fetch keys',
    flaw: 'the token said where',
    tokens: {
      jku: (forge, url) =>
        forge.token({
          header: { jku: `${url}/jwks.json` },
          signer: byAttacker,
        }),
      'jku with the kid of its own': (forge, url) =>
        forge.token({
          header: { jku: `${url}/jwks.json`, kid: 'evil' },
          signer: byAttacker,
        }),
      x5u: (forge, url) =>
        forge.token({
          header: { x5u: `${url}/chain.pem` },
          signer: byAttacker,
        }),
      kid: (forge, url) =>
        forge.token({
          header: { kid: `${url}/jwks.json` },
          signer: byAttacker,
        }),
      iss: (forge, url) =>
        forge.token({ claims: { iss: url }, signer: byAttacker }),
      'sub of a service': (forge, url) =>
        forge.token({
          header: { typ: 'vnd.backstage.plugin' },
          claims: { sub: `@${new URL(url).host}/x`, aud: 'hello' },
          signer: byAttacker,
        }),
      'sub of a service, as a way out': (forge, url) =>
        forge.token({
          header: { typ: 'vnd.backstage.plugin' },
          claims: {
            sub: `../..//${new URL(url).host}/jwks.json#`,
            aud: 'hello',
          },
          signer: byAttacker,
        }),
    },
  },
  {
    id: 'RFC 8725, 3.10',
    product: 'libraries that look keys up',
    flaw: 'the id of the key was a path, a query or code',
    tokens: Object.fromEntries(
      [
        '../../../../dev/null',
        '/dev/null',
        "x' UNION SELECT 'secret';--",
        '|true',
        '__proto__',
        'constructor',
        ['test-key'],
        { toString: 'test-key' },
        0,
        null,
        'TEST-KEY',
        'test-key\0',
        '',
      ].map(kid => [
        JSON.stringify(kid),
        (forge: Forge) =>
          forge.token({
            header: { kid, alg: 'HS256' },
            signer: hmac(''),
          }),
      ]),
    ),
  },
  {
    id: 'CVE-2025-59420',
    product: 'Authlib',
    flaw: 'what a header called critical, and it did not know, was passed over',
    tokens: Object.fromEntries(
      [
        { crit: ['bork'], bork: true },
        { crit: ['bork'] },
        { crit: ['b64'], b64: false },
        { crit: ['http://example.com/UNDEFINED'] },
        { crit: [] },
        { crit: 'alg' },
        { crit: [''] },
        { crit: ['alg'] },
        { crit: [1] },
        { crit: {} },
      ].map(header => [
        JSON.stringify(header),
        // The signature is valid: the gate refuses the token for its header alone.
        (forge: Forge) => forge.token({ header }),
      ]),
    ),
  },
  {
    id: 'RFC 8725, 3.1',
    product: 'libraries that let the token choose',
    flaw: 'a key was used with another algorithm than its own',
    tokens: {
      'ES384 of P-384': forge =>
        forge.token({
          header: { alg: 'ES384' },
          signer: ecdsa(attackersKey('P-384').privateKey, { hash: 'sha384' }),
        }),
      'ES256 of P-384': forge =>
        forge.token({ signer: ecdsa(attackersKey('P-384').privateKey) }),
      ES256K: forge =>
        forge.token({
          header: { alg: 'ES256K' },
          signer: ecdsa(attackersKey('secp256k1').privateKey),
        }),
      'ES256 over SHA-384': forge =>
        forge.token({
          signer: ecdsa(attacker.privateKey, { hash: 'sha384' }),
        }),
      RS256: forge =>
        forge.token({
          header: { alg: 'RS256' },
          signer: input => sign('sha256', Buffer.from(input), rsa.privateKey),
        }),
      PS256: forge =>
        forge.token({
          header: { alg: 'PS256' },
          signer: input =>
            sign('sha256', Buffer.from(input), {
              key: rsa.privateKey,
              padding: constants.RSA_PKCS1_PSS_PADDING,
              saltLength: 32,
            }),
        }),
      EdDSA: forge =>
        forge.token({
          header: { alg: 'EdDSA' },
          signer: input =>
            sign(
              null,
              Buffer.from(input),
              generateKeyPairSync('ed25519').privateKey,
            ),
        }),
      ...Object.fromEntries(
        ['es256', 'ES 256', 'ES25', 'toString', '__proto__', 1, ['ES256']].map(
          alg => [
            `${JSON.stringify(alg)}, rightly signed`,
            (forge: Forge) => forge.token({ header: { alg } }),
          ],
        ),
      ),
    },
  },
  {
    id: 'CVE-2023-22482',
    product: 'Argo CD',
    flaw: 'a token for another audience of the same issuer verified',
    tokens: {
      'of another audience, and no type of its own': forge =>
        forge.token({ header: { typ: 'JWT' }, claims: { aud: 'other-app' } }),
      'of several audiences': forge =>
        forge.token({
          header: { typ: 'JWT' },
          claims: { aud: ['backstage', 'other-app'] },
        }),
      'of no audience': forge =>
        forge.token({ header: { typ: 'JWT' }, claims: { aud: undefined } }),
    },
  },
  {
    id: 'RFC 8725, 3.11',
    product: 'issuers of several kinds of tokens',
    flaw: 'one kind was taken for another',
    tokens: {
      "a service's, signed by the key of users": forge =>
        forge.token({
          header: { typ: 'vnd.backstage.plugin' },
          claims: { sub: 'auth', aud: 'hello' },
        }),
      'a limited one': forge =>
        forge.token({
          header: { typ: 'vnd.backstage.limited-user' },
          claims: { iss: undefined, aud: undefined },
        }),
      'an id token': forge =>
        forge.token({ header: { typ: 'at+jwt' }, claims: { aud: 'app' } }),
      'an unknown kind': forge =>
        forge.token({
          header: { typ: 'vnd.backstage.other' },
          claims: { aud: undefined },
        }),
    },
  },
  {
    id: 'RFC 7519, 4.1',
    product: "libraries that don't insist on a claim",
    flaw: 'a token without its times or its subject verified',
    tokens: Object.fromEntries(
      [
        { exp: undefined },
        { exp: null },
        { exp: '9999999999' },
        { exp: 1 },
        { iat: undefined },
        { iat: 'now' },
        { nbf: 9_999_999_999 },
        { nbf: 'x' },
        { sub: undefined },
        { sub: '' },
      ].map(claims => [
        inspect(claims),
        (forge: Forge) => forge.token({ claims }),
      ]),
    ),
  },
  {
    id: 'CVE-2022-39227',
    product: 'python-jwt',
    flaw: 'one parser read the compact form, and another the JSON of the same text',
    tokens: {
      'the JSON form': forge => {
        const [header, payload, signature] = forge.token().split('.');
        return JSON.stringify({ payload, protected: header, signature });
      },
      'the JSON form of several signatures': forge => {
        const [header, payload, signature] = forge.token().split('.');
        return JSON.stringify({
          payload,
          signatures: [{ protected: header, signature }],
        });
      },
      'both at once': forge => {
        const [header, payload, signature] = forge.token().split('.');
        const forged = forge
          .token({ claims: { sub: 'user:default/admin' } })
          .split('.')[1];
        return `{"${header}.${forged}.":"","protected":"${header}","payload":"${payload}","signature":"${signature}"}`;
      },
    },
  },
  {
    id: 'RFC 7515, 5.2',
    product: 'parsers of the compact form',
    flaw: 'something else than three parts of JSON, JSON and bytes',
    tokens: {
      'a dot in front': forge => `.${forge.token()}`,
      'a dot behind': forge => `${forge.token()}.`,
      'a part behind': forge => `${forge.token()}.x`,
      'two dots in one place': forge => forge.token().replace('.', '..'),
      'five parts, as of an encrypted one': () =>
        `${Buffer.from('{"alg":"dir","enc":"A128GCM"}').toString('base64url')}....`,
      'an empty header': forge => forge.token().replace(/^[^.]+/, ''),
      'an empty payload': forge => forge.token().replace(/\.[^.]+\./, '..'),
      'dots alone': () => '..',
      'a header that is no JSON': forge => forge.token({ header: 'x' }),
      'a header that is a list': forge => forge.token({ header: '["ES256"]' }),
      'a header that is null': forge => forge.token({ header: 'null' }),
      'a header that is a text': forge => forge.token({ header: '"ES256"' }),
      'a header with a prototype': forge =>
        forge.token({
          header: '{"__proto__":{"alg":"ES256","typ":"vnd.backstage.user"}}',
        }),
      'a payload that is no JSON': forge => forge.token({ claims: 'x' }),
      'a payload that is a list': forge => forge.token({ claims: '[]' }),
      'a payload that is null': forge => forge.token({ claims: 'null' }),
      'a payload that is not encoded': forge =>
        forge.token({ header: { b64: false } }).replace(/\.[^.]+\./, '.{}.'),
    },
  },
];

describe('[P6] signatures (T1, T2, T9, T13)', () => {
  let forge: Forge;

  beforeAll(() => {
    const { attacker: server, key, url } = backend();
    forge = createForge(key, `${url}/api/auth`);
    server.answer = JSON.stringify({
      keys: ['test-key', 'evil'].map(kid => ({ ...attackersJwk, kid })),
    });
  });

  const ask = (headerLine: string, target = '/api/hello/secret') =>
    backend().attempt({ target, headerLines: [headerLine] });

  it.each([
    ['a token', {}],
    ['a token of the type before 1.24', { typ: 'JWT' }],
  ])(
    '%s that is made the same way, and signed as it says, passes',
    async (_name, header) => {
      const token = forge.token({ header });
      for (const [line, kind] of [
        [`Authorization: Bearer ${token}`, 'bearer'],
        [`Cookie: token=${token}`, 'cookie'],
      ]) {
        const { response, handled, counted, audited, fetched } =
          await ask(line);
        expect(response.status).toBe(200);
        expect(handled).toEqual(['hello GET /secret']);
        expect(counted).toEqual([`hello passed ${kind} ${kind}`]);
        expect([...audited, ...fetched]).toEqual([]);
      }
    },
  );

  it("a fetch from the attacker's server would not go unseen", async () => {
    const { url } = backend().attacker;
    const { fetched } = await backend().trace(() => fetch(`${url}/jwks.json`));
    expect(fetched).toEqual([`${url}/jwks.json`, 'arrived: /jwks.json']);
  });

  describe.each(FORGERIES)('$id, $product: $flaw', ({ tokens }) => {
    it.each(Object.keys(tokens))('%s', async name => {
      const token = tokens[name](forge, backend().attacker.url);
      expectRefused(await ask(`Authorization: Bearer ${token}`), 'GET', {
        reason: 'invalid-token',
        credential: 'bearer',
      });
      expectRefused(
        await ask(`Cookie: token=${encodeURIComponent(token)}`),
        'GET',
        { reason: 'invalid-token', credential: 'cookie' },
      );
    });
  });

  it('CVE-2021-21378, Envoy: a token of an issuer that it did not know passed unchecked (T10)', async () => {
    const token = forge.token({ claims: { iss: backend().attacker.url } });
    const line = `Authorization: Bearer ${token}`;
    expectRefused(await ask(line), 'GET', {
      reason: 'untrusted-issuer',
      credential: 'bearer',
    });
    // A handler of a public route would act as the user.
    expectRefused(await ask(line, '/api/forwarding/public/x'), 'GET', {
      plugin: 'forwarding',
      reason: 'untrusted-issuer',
    });
  });
});
