import { generateKeyPairSync, KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import type { Session } from './ServerProcess';

const KEY_ID = 'bench-key';

/** The key that the `auth` plugins of all variants have, and tokens as they issue them. */
export class Tokens {
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'api-gate-bench-'));
  readonly #privateKey: KeyObject;
  readonly config: JsonObject;
  #count = 0;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
    });
    this.#privateKey = privateKey;
    const publicKeyFile = path.join(this.#folder, 'public.pem');
    const privateKeyFile = path.join(this.#folder, 'private.pem');
    writeFileSync(
      publicKeyFile,
      publicKey.export({ type: 'spki', format: 'pem' }),
    );
    writeFileSync(
      privateKeyFile,
      privateKey.export({ type: 'pkcs8', format: 'pem' }),
      { mode: 0o600 },
    );
    const key = {
      keyId: KEY_ID,
      algorithm: 'ES256',
      publicKeyFile,
      privateKeyFile,
    };
    this.config = {
      auth: { keyStore: { provider: 'static', static: { keys: [key] } } },
    };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * Returns a user's token, for another user with each call. Node's own crypto signs it in about 30 µs, so that a load can sign
   * while it runs.
   */
  user(serverUrl: string): string {
    return this.#sign(this.#userText(serverUrl));
  }

  /** Returns a token of another user, and the claims that identify its session. */
  session(serverUrl: string): { token: string; session: Session } {
    const text = this.#userText(serverUrl);
    const { sub, iat, exp } = text.payload;
    return { token: this.#sign(text), session: { sub, iat, exp } };
  }

  /** Returns a user token that is valid but for its signature. */
  forgedUser(serverUrl: string): string {
    return this.#token(this.#userText(serverUrl), () => randomBytes(64));
  }

  /** Returns a service token of a plugin that does not exist, for another plugin with each call. */
  unknownService(): string {
    const id = this.#count++;
    const payload = { sub: `made-up-${id}`, aud: 'trivial', ...validity() };
    return this.#token({ typ: 'vnd.backstage.plugin', payload }, () =>
      randomBytes(64),
    );
  }

  #userText(serverUrl: string) {
    const sub = `user:default/user-${this.#count++}`;
    const payload = {
      iss: `${serverUrl}/api/auth`,
      sub,
      ent: [sub, 'group:default/team-a', 'group:default/department-b'],
      aud: 'backstage',
      ...validity(),
      // The signature of the limited token is left out, since no load here requests that token.
      uip: randomBytes(64).toString('base64url'),
    };
    return { typ: 'vnd.backstage.user', payload };
  }

  #sign(text: { typ: string; payload: object }): string {
    return this.#token(text, data =>
      sign('sha256', data, {
        key: this.#privateKey,
        dsaEncoding: 'ieee-p1363',
      }),
    );
  }

  #token(
    { typ, payload }: { typ: string; payload: object },
    signText: (text: Buffer) => Buffer,
  ): string {
    const text = [{ typ, alg: 'ES256', kid: KEY_ID }, payload]
      .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${text}.${signText(Buffer.from(text)).toString('base64url')}`;
  }
}

function validity() {
  const iat = Math.floor(Date.now() / 1000);
  return { iat, exp: iat + 3600 };
}
