import type { RequestListener } from 'node:http';
import type { JsonObject } from '@backstage/types';
import { exportJWK, generateKeyPair, JWTPayload, SignJWT } from 'jose';

const ISSUER = 'https://ci.example.com';
const SECRET = Buffer.alloc(32, 1);

/**
 * Creates an issuer of tokens outside of Backstage, such as that of a CI system, which serves its keys.
 *
 * @param serve - starts a server, and returns its port
 */
export async function createIssuer(
  serve: (listener: RequestListener) => Promise<number>,
) {
  const { publicKey, privateKey } = await generateKeyPair('ES256', {
    extractable: true,
  });
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'k' }];
  const port = await serve((_, res) => {
    res.setHeader('Content-Type', 'application/json');
    res.end(JSON.stringify({ keys }));
  });
  return {
    /** Returns the issuer's entry of `backend.auth.externalAccess`. */
    entry: (options: JsonObject) => ({
      type: 'jwks',
      options: {
        url: `http://localhost:${port}/keys`,
        issuer: ISSUER,
        algorithm: 'ES256',
        ...options,
      },
    }),
    /** Signs a token of the subject `job` for the audience `ci`, unless the claims have others. */
    sign: (claims: JWTPayload = {}, typ?: string, key = privateKey) =>
      new SignJWT({ iss: ISSUER, aud: 'ci', sub: 'job', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k', ...(typ && { typ }) })
        .setExpirationTime('1h')
        .sign(key),
  };
}

/** The entry of `backend.auth.externalAccess` for the tokens of the legacy system, whose subject is `old`. */
export const legacyEntry = {
  type: 'legacy',
  options: { secret: SECRET.toString('base64'), subject: 'old' },
};

/** Signs a token as the legacy system does. */
export const legacyToken = (secret = SECRET) =>
  new SignJWT({ sub: 'backstage-server' })
    .setProtectedHeader({ alg: 'HS256' })
    .setExpirationTime('1h')
    .sign(secret);
