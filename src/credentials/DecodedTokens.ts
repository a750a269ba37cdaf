import { LRUCache } from 'lru-cache';
import { DecodedToken, decodeToken } from './token';
import { digestOf } from './digestOf';

// Each entry takes about 1.5 KB, with the `Set-Cookie` that is made of the token.
const MAX_TOKENS = 2_000;
const MAX_TOKEN_CHARACTERS = 1_500_000;

/**
 * Caches the decoded claims of recently verified tokens: decoding a token takes as long as the rest of the gate's work. The cache
 * does not record that the token verifies.
 */
export class DecodedTokens {
  readonly #decoded = new LRUCache<string, DecodedToken>({
    max: MAX_TOKENS,
    maxSize: MAX_TOKEN_CHARACTERS,
  });

  /** Calls {@link decodeToken}. Returns the same object each time for a cached token, so callers must not change it. */
  decode(token: string): DecodedToken | undefined {
    return this.#decoded.get(digestOf(token)) ?? decodeToken(token);
  }

  remember(token: string, decoded: DecodedToken): void {
    const digest = digestOf(token);
    if (!this.#decoded.has(digest)) {
      this.#decoded.set(digest, decoded, { size: token.length });
    }
  }
}
