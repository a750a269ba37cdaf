import { createHash } from 'node:crypto';

let last = { token: '', digest: '' };

/** SHA-256 of a token, in base64: what is remembered of a token is found by this, and the token itself is no key. */
export function digestOf(token: string): string {
  // One request asks several times.
  if (token !== last.token) {
    last = {
      token,
      digest: createHash('sha256').update(token).digest('base64'),
    };
  }
  return last.digest;
}
