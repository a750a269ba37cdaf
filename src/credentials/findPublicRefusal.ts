import { tokenTypes } from '@backstage/plugin-auth-node';
import { Refusal } from '../decision/Refusal';
import type { Policy } from '../policy/Policy';
import type { Revocations } from '../revocation/Revocations';
import { MaybePromise, then } from '../util/then';
import { isSessionRevoked } from './assertNotRevoked';
import type { TargetPlugin } from './BackendPlugins';
import { substituteRequest } from './substituteRequest';
import { isCompactJws, Token } from './token';
import {
  isTrustedIssuer,
  verifyCredential,
  VerifyOptions,
} from './verifyCredential';

type PublicPlugin = Pick<TargetPlugin, 'id' | 'httpAuthFor'>;

type PublicOptions = VerifyOptions & { revocations: Revocations };

/**
 * Returns the refusal of a token on a public route, where the gate needs no token and a handler may read one: `auth` itself
 * exchanges a token for a new one. The result is `undefined` for a token that may reach a handler.
 *
 * - A token is refused if it verifies, and its session was revoked or its issuer is not trusted. While the list of revocations is
 *   not loaded, any session may be revoked. A token that does not verify may reach the handler, which refuses it. A forged token
 *   of a revoked session has the same result as one of another session, so that nobody can find out who has signed out.
 * - A user's token with other characters than a compact JWS is refused by its claims alone, whatever its session: Backstage
 *   verifies some of them, and the gate accepts none.
 *
 * @throws Refusal 503 if the keys are not available: the handler may get them a moment later. A promise rejects with it.
 */
export function findPublicRefusal(
  text: string | undefined,
  plugin: PublicPlugin,
  policy: Policy,
  options: PublicOptions,
): MaybePromise<Refusal | undefined> {
  const { revocations, tokens } = options;
  const token = text === undefined ? undefined : tokens.read(text);
  if (!token?.userToken) {
    return undefined;
  }
  if (!isCompactJws(token.text)) {
    return Refusal.invalidToken;
  }
  // Most tokens are neither revoked nor foreign, and are not verified here.
  return then(isTrustedIssuer(token.userToken, policy, options), isTrusted =>
    isTrusted && revocations.isLoaded && !isSessionRevoked(token, revocations)
      ? undefined
      : findRefusalIfValid(token, plugin, policy, options),
  );
}

async function findRefusalIfValid(
  token: Token,
  plugin: PublicPlugin,
  policy: Policy,
  options: PublicOptions,
): Promise<Refusal | undefined> {
  const { text, claims, userToken } = token;
  const isLimited = claims?.typ === tokenTypes.limitedUser.typParam;
  try {
    await verifyCredential(
      substituteRequest(text),
      plugin,
      { kind: isLimited ? 'user-cookie' : 'bearer', token: text },
      policy,
      options,
    );
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
    if (error.reason === 'untrusted-issuer') {
      return error;
    }
    if (error.isFinal || error.reason === 'restricted') {
      return undefined;
    }
    throw error;
  }
  const { revocations } = options;
  if (isSessionRevoked(token, revocations)) {
    return Refusal.revoked.of(userToken?.sub);
  }
  // The list may have been loaded meanwhile.
  return revocations.isLoaded ? undefined : Refusal.revocationsUnavailable;
}
