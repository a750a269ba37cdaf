import { isError } from '@backstage/errors';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { InvalidDetail, Refusal } from '../decision/Refusal';
import { findRestrictedSubject } from './findRestrictedSubject';
import { isPast, Token } from './token';
import type { PresentedToken, VerifyOptions } from './verifyCredential';

/**
 * Distinguishes an invalid token from one whose keys cannot be fetched; Backstage reports both as an AuthenticationError.
 *
 * @throws Refusal
 */
export async function explainFailure(
  error: unknown,
  token: Token,
  { kind }: PresentedToken,
  pluginId: string,
  failureKey: () => string,
  options: VerifyOptions,
): Promise<never> {
  if (kind === 'bearer' && isError(error) && error.name === 'NotAllowedError') {
    throw Refusal.restricted(error.message).of(
      await findRestrictedSubject(token.text, options.plugins),
    );
  }
  const { keyEndpoints, plugins } = options;
  const { discovery } = plugins.anyRegistered();
  const hasKeys = await keyEndpoints.hasKeysOf(token, discovery);
  const refusal = Refusal.invalid[detailOf(token, pluginId, hasKeys)];
  if (isError(error) && error.name === 'AuthenticationError') {
    options.invalidTokens.add(failureKey(), refusal);
  }
  throw refusal;
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
  if (isPast(claims.exp) || isPast(userToken?.exp)) {
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
