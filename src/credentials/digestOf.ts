import { createHash } from 'node:crypto';

let last = { token: '', digest: '' };

/** Returns the SHA-256 of a token in base64. Caches use it as their key in place of the token. */
export function digestOf(token: string): string {
  // Reuse the last digest, since one request needs it several times.
  if (token !== last.token) {
    last = {
      token,
      digest: createHash('sha256').update(token).digest('base64'),
    };
  }
  return last.digest;
}
