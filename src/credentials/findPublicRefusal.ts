import { tokenTypes } from '@backstage/plugin-auth-node';
import { Refusal } from '../decision/Refusal';
import type { Policy } from '../policy/Policy';
import type { SessionClaims } from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';
import { MaybePromise, then } from '../util/then';
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
 * Most tokens are neither revoked nor foreign, and are not verified here. A forged token of a revoked session has the same result
 * as one of another session, so that nobody can find out who has signed out.
 *
 * @throws Refusal as {@link judgePublicToken}, or an error of discovery. A promise rejects with it.
 */
export function findPublicRefusal(
  text: string | undefined,
  plugin: PublicPlugin,
  policy: Policy,
  options: PublicOptions,
): MaybePromise<Refusal | undefined> {
  const token = text === undefined ? undefined : options.tokens.read(text);
  return token?.userToken
    ? then(isOrdinary(token, policy, options), isIt =>
        isIt
          ? undefined
          : judgePublicToken(token.text, plugin, policy, options).then(
              judged => (judged instanceof Refusal ? judged : undefined),
            ),
      )
    : undefined;
}

/**
 * Verifies a token on a public route. Returns the session of a user's valid token; a refusal if the gate accepts that token on no
 * route; `undefined` for a token that does not verify, which a handler refuses, and for one of no user.
 *
 * - Refused are a revoked session, and any session while the list of revocations is not loaded; a token without a session, which
 *   Backstage accepts in an older format; and an issuer that is not trusted.
 * - A user's token with other characters than a compact JWS is refused by its claims alone, whatever its session: Backstage
 *   verifies some of them.
 *
 * @throws Refusal 503 if the keys are not available: the handler may get them a moment later
 */
export async function judgePublicToken(
  text: string,
  plugin: PublicPlugin,
  policy: Policy,
  options: PublicOptions,
): Promise<SessionClaims | Refusal | undefined> {
  const { revocations, tokens } = options;
  const token = tokens.read(text);
  const { claims, session, userToken } = token;
  if (!userToken) {
    return undefined;
  }
  if (!isCompactJws(text)) {
    return Refusal.invalid.malformed;
  }
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
    // A new key does not verify the token for a handler either. Any key may be in a forged token, and 503 would show that the
    // session in its claims was revoked.
    if (
      error.isFinal ||
      error.reason === 'restricted' ||
      error === Refusal.newKey
    ) {
      return undefined;
    }
    // Another system's token needs no keys of this one, which has none before its first sign-in.
    if (await isOnlyForeign(token, policy, options)) {
      return undefined;
    }
    throw error;
  }
  if (!session) {
    return Refusal.invalid.malformed;
  }
  // The list may have been loaded while the token was verified.
  if (revocations.isRevoked(session)) {
    return Refusal.revoked.of(session.sub);
  }
  return revocations.isLoaded ? session : Refusal.revocationsUnavailable;
}

/** Returns whether the issuer in the claims of a token is the only reason to verify it on a public route. */
async function isOnlyForeign(
  token: Token,
  policy: Policy,
  options: PublicOptions,
): Promise<boolean> {
  return (
    isInForce(token, options) &&
    !(await isTrustedIssuer(token.userToken, policy, options))
  );
}

/** Returns whether nothing in the claims of a token is a reason to verify it on a public route. */
function isOrdinary(
  token: Token,
  policy: Policy,
  options: PublicOptions,
): MaybePromise<boolean> {
  return isCompactJws(token.text) && isInForce(token, options)
    ? isTrustedIssuer(token.userToken, policy, options)
    : false;
}

/** Returns whether the session that a token claims to be of is known not to be revoked. */
function isInForce(
  { session }: Token,
  { revocations }: Pick<PublicOptions, 'revocations'>,
): boolean {
  return (
    session !== undefined &&
    revocations.isLoaded &&
    !revocations.isRevoked(session)
  );
}
