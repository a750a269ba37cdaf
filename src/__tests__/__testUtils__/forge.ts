import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  KeyObject,
  sign,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { SigningKey } from './signingKey';

/** Makes the last part of a token from the first two. */
export type Signer = (input: string) => Buffer;

/** Makes tokens byte by byte, which a library would refuse to make. */
export interface Forge {
  /** Signs as the backend does. */
  own: Signer;
  /** The backend's public key, which anybody can fetch. */
  publicKey: KeyObject;
  publicPem: string;
  /** The header of a user token, as the backend signs it. */
  header: Record<string, unknown>;
  claims: Record<string, unknown>;
  /**
   * Makes a token. A string replaces the JSON.
   *
   * @param header - members that differ from `header`; `undefined` leaves a member out
   * @param signer - default `own`
   */
  token(options?: {
    header?: Record<string, unknown> | string;
    claims?: Record<string, unknown> | string;
    signer?: Signer;
  }): string;
}

export function createForge(key: SigningKey, issuer: string): Forge {
  const read = (name: string) => readFileSync(path.join(key.folder, name));
  const publicPem = read('public.pem').toString();
  const own = ecdsa(createPrivateKey(read('private.pem')));
  const now = Math.floor(Date.now() / 1000);
  const forge: Omit<Forge, 'token'> = {
    own,
    publicPem,
    publicKey: createPublicKey(publicPem),
    header: { typ: 'vnd.backstage.user', alg: 'ES256', kid: 'test-key' },
    claims: {
      iss: issuer,
      sub: 'user:default/test',
      aud: 'backstage',
      iat: now,
      exp: now + 3600,
    },
  };
  const json = (
    base: Record<string, unknown>,
    given: Record<string, unknown> | string = {},
  ) =>
    typeof given === 'string' ? given : JSON.stringify({ ...base, ...given });
  return {
    ...forge,
    token({ header, claims, signer = own } = {}) {
      const input = [json(forge.header, header), json(forge.claims, claims)]
        .map(part => Buffer.from(part).toString('base64url'))
        .join('.');
      return `${input}.${signer(input).toString('base64url')}`;
    },
  };
}

/** Returns a signer for ES256 and related algorithms (RFC 7518, section 3.4). */
export function ecdsa(
  key: KeyObject,
  { hash = 'sha256', dsaEncoding = 'ieee-p1363' as 'der' | 'ieee-p1363' } = {},
): Signer {
  return input => sign(hash, Buffer.from(input), { key, dsaEncoding });
}

/** Returns a signer for HS256 and related algorithms. */
export function hmac(secret: string | Buffer, hash = 'sha256'): Signer {
  return input => createHmac(hash, secret).update(input).digest();
}

/** Makes a key pair of an attacker. */
export function attackersKey(namedCurve = 'P-256') {
  return generateKeyPairSync('ec', { namedCurve });
}
