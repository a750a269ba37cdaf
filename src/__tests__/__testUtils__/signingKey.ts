import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { exportPKCS8, exportSPKI, generateKeyPair, SignJWT } from 'jose';

const KEY_ID = 'test-key';

/** The claims of a test's user token; the `auth` plugin's defaults apply to the others. */
export interface UserTokenClaims {
  iss: string;
  sub?: string;
  iat?: number;
  exp?: number;
  ent?: string[];
  /** Default `vnd.backstage.user`. */
  typ?: string;
}

/** A key for the real `auth` plugin, with which a test signs tokens that the plugin itself never would. */
export interface SigningKey {
  config: JsonObject;
  /** The folder with the key's files. */
  folder: string;
  sign(claims: UserTokenClaims): Promise<string>;
  remove(): Promise<void>;
}

export async function createSigningKey(): Promise<SigningKey> {
  const folder = await mkdtemp(path.join(tmpdir(), 'api-gate-key-'));
  const { publicKey, privateKey } = await generateKeyPair('ES256', {
    extractable: true,
  });
  const publicKeyFile = path.join(folder, 'public.pem');
  const privateKeyFile = path.join(folder, 'private.pem');
  await writeFile(publicKeyFile, await exportSPKI(publicKey));
  await writeFile(privateKeyFile, await exportPKCS8(privateKey));

  const signJwt = (typ: string, payload: JsonObject) =>
    new SignJWT(payload)
      .setProtectedHeader({ typ, alg: 'ES256', kid: KEY_ID })
      .sign(privateKey);

  return {
    config: {
      auth: {
        keyStore: {
          provider: 'static',
          static: {
            keys: [
              {
                publicKeyFile,
                privateKeyFile,
                keyId: KEY_ID,
                algorithm: 'ES256',
              },
            ],
          },
        },
      },
    },
    async sign({ iss, typ = 'vnd.backstage.user', ...claims }) {
      const now = Math.floor(Date.now() / 1000);
      const { sub, iat, exp, ent } = {
        sub: 'user:default/test',
        iat: now,
        exp: now + 3600,
        ent: undefined,
        ...claims,
      };
      // The proof is the signature of the limited token that Backstage makes from a user token.
      const limited = await signJwt('vnd.backstage.limited-user', {
        sub,
        iat,
        exp,
      });
      return signJwt(typ, {
        iss,
        sub,
        aud: 'backstage',
        iat,
        exp,
        ...(ent && { ent }),
        uip: limited.split('.')[2],
      });
    },
    folder,
    remove: () => rm(folder, { recursive: true }),
  };
}
