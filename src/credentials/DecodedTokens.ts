import { LRUCache } from 'lru-cache';
import { DecodedToken, decodeToken } from './token';
import { digestOf } from './digestOf';

// About 1.5 KB each, with the `Set-Cookie` that is made of it.
const MAX_TOKENS = 2_000;
const MAX_TOKEN_CHARACTERS = 1_500_000;

/**
 * Remembers what tokens say of themselves, of those that were verified lately: decoding one takes as long as all else that
 * the gate does with it. That it verifies is not remembered here.
 */
export class DecodedTokens {
  readonly #decoded = new LRUCache<string, DecodedToken>({
    max: MAX_TOKENS,
    maxSize: MAX_TOKEN_CHARACTERS,
  });

  /** As {@link decodeToken}, and the same object each time for a token that is remembered: nothing may be changed in it. */
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
