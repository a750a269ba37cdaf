import type { TokenKind } from '../Decision';
import { isError } from '@backstage/errors';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { LRUCache } from 'lru-cache';
import { isPast, Token } from '../read/token';
import { InvalidDetail, Refusal } from '../Refusal';
import { awaited, Steps } from './steps';
import type { Verification } from './verifyToken';

/**
 * Caches for a second which tokens are invalid, so that a flood of one token is verified once a second. Only failures that can't
 * change within that time belong here, unlike missing keys. It is apart from the `TokenCache`, where a flood of invalid tokens
 * would evict valid ones. The times are those of `performance.now()`, which does not follow changes of the clock.
 */
export class NegativeTokenCache extends LRUCache<string, Refusal> {
  constructor() {
    super({
      max: 1_000,
      // A key holds the plugin id that a client has sent, so its length is bounded.
      maxSize: 200_000,
      sizeCalculation: (_refusal, key) => key.length,
      ttl: 1_000,
      // The cache reads the time at each look-up, and starts no timers.
      ttlResolution: 0,
    });
  }
}

/**
 * Distinguishes an invalid token from one whose keys cannot be fetched; Backstage reports both as an AuthenticationError.
 *
 * @throws Refusal 503 if the keys cannot be fetched
 */
export function* explainFailure(
  error: unknown,
  { plugin, services }: Verification,
  kind: TokenKind,
  token: Token,
): Steps<Refusal> {
  const { invalidTokens, keyEndpoints } = services;
  if (kind === 'bearer' && isError(error) && error.name === 'NotAllowedError') {
    const restricted = new Refusal('restricted', { message: error.message });
    invalidTokens.set(failureKey(plugin.id, kind, token), restricted);
    return restricted;
  }
  const hasKeys = yield* awaited(keyEndpoints.hasKeysOf(token));
  const refusal = Refusal.because(
    'invalid-token',
    detailOf(token, plugin.id, hasKeys),
  );
  if (isError(error) && error.name === 'AuthenticationError') {
    invalidTokens.set(failureKey(plugin.id, kind, token), refusal);
  }
  return refusal;
}

/** Identifies a token and its verifier: the same token may be valid for another plugin. */
export function failureKey(
  pluginId: string,
  kind: TokenKind,
  { digest }: Token,
): string {
  return `${pluginId} ${kind} ${digest}`;
}

/**
 * Returns the likeliest reason why a token has not verified. Backstage reports all of them alike, and the claims are what the
 * client has sent.
 */
function detailOf(
  { claims, userToken }: Token,
  pluginId: string,
  hasKeys: boolean,
): InvalidDetail {
  if (!claims) {
    return 'malformed';
  }
  const now = Date.now();
  if (isPast(claims.exp, now) || isPast(userToken?.exp, now)) {
    return 'expired';
  }
  const isForOther =
    claims.typ === tokenTypes.plugin.typParam &&
    ![claims.aud]
      .flat()
      .some(aud => typeof aud === 'string' && aud.toLowerCase() === pluginId);
  if (isForOther) {
    return 'audience';
  }
  return hasKeys ? 'signature' : 'unknown-key';
}
