import { tokenTypes } from '@backstage/plugin-auth-node';
import {
  findBearer,
  readProtocols,
  readUserCookie,
} from '../read/readCredential';
import type { Token } from '../read/token';
import { Refusal } from '../Refusal';
import type { SessionClaims } from '../sessions/Revocation';
import type { SocketSession } from '../sessions/SessionSockets';
import { assertForeign } from './foreignAuthorization';
import type { GateRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';
import {
  findRefusal,
  findSessionRefusal,
  socketSessionOf,
  Verification,
  VerifiedCredential,
  verifyCredential,
} from './verifyCredential';

// On a public route the gate needs no token, and a handler may read one: `auth` itself exchanges a token for a new one.

/**
 * Refuses on public routes, too, a bearer token that the gate accepts on no route, such as one of a revoked session, and an external
 * token whose limits exclude the request. A cookie is removed instead: the page may not know that the browser sent it.
 *
 * @throws Refusal 401 or 403, or 503 if the keys can't be had, or if the list of revocations is not loaded
 */
export async function assertPublicTokensHarmless(
  request: GateRequest,
): Promise<void> {
  await removeRevokedUserCookie(request);
  await refuseLimitedTokens(request);
  const bearer = findBearer(request.req, request.places);
  const refusal =
    bearer === undefined ? undefined : await findPublicRefusal(bearer, request);
  if (refusal) {
    throw refusal;
  }
  await assertForeign(request);
}

/**
 * Refuses each external token of a request whose limits exclude the request.
 *
 * @returns what ends the socket of an upgrade, for each token that verifies
 * @throws Refusal 401 or 403
 */
export async function refuseLimitedTokens(
  request: GateRequest,
): Promise<SocketSession[]> {
  const { isUpgrade, places, req } = request;
  const sessions: SocketSession[] = [];
  const bearer = findBearer(req, places) ?? [];
  for (const token of [isUpgrade ? readProtocols(req) : [], bearer].flat()) {
    const session = await refuseIfLimited(token, request);
    if (session) {
      sessions.push(session);
    }
  }
  return sessions;
}

/**
 * Refuses an external token whose limits exclude the request: a handler that reads it would act for its subject. A token that does
 * not verify passes, because other systems call public routes with tokens of their own.
 *
 * @returns what ends the socket of an upgrade, for a token that verifies
 * @throws Refusal 401 or 403
 */
export async function refuseIfLimited(
  token: string,
  request: GateRequest,
): Promise<SocketSession | undefined> {
  if (request.policy.tokenLimits.isEmpty) {
    return undefined;
  }
  const verified = await verifyExternal(token, request);
  const refusal = verified && findRefusal(verified, request);
  if (refusal) {
    throw refusal;
  }
  return verified && socketSessionOf(verified, request);
}

async function verifyExternal(
  token: string,
  request: GateRequest,
): Promise<VerifiedCredential | undefined> {
  const { claims, userToken } = request.services.tokens.read(token);
  if (userToken || claims?.typ === tokenTypes.plugin.typParam) {
    return undefined;
  }
  try {
    return await verifyCredential(request, { kind: 'bearer', token });
  } catch (error) {
    if (error instanceof Refusal) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Removes Backstage's own cookie from what is forwarded if {@link findPublicRefusal} refuses its token, such as that of a revoked
 * session, which verifies until it expires: a handler would serve that user, and Backstage would not issue another cookie. Never
 * rejects; if the token can't be verified now, the cookie is removed, because it may be a revoked one. A list that is not loaded
 * removes none in report-only.
 */
export async function removeRevokedUserCookie(
  request: GateRequest,
): Promise<void> {
  const cookie = readUserCookie(request.req);
  const isRefused =
    cookie.kind === 'token'
      ? await findPublicRefusal(cookie.token, request).then(
          refusal =>
            refusal &&
            (request.policy.isEnforced ||
              refusal.reason !== 'revocations-unavailable'),
          () => true,
        )
      : cookie.kind === 'conflict';
  if (isRefused) {
    request.forwarded.userCookie = 'removed';
  }
}

/**
 * Returns the refusal of a token that a handler of a public route may read; `undefined` for one that may reach it.
 *
 * Most tokens are neither revoked nor foreign, and are not verified here. A forged token of a revoked session has the same result
 * as one of another session, so that nobody can find out who has signed out.
 *
 * @throws Refusal as {@link verifyPublicToken}, or an error of discovery
 */
async function findPublicRefusal(
  text: string,
  request: Verification,
): Promise<Refusal | undefined> {
  const { policy, services } = request;
  const token = services.tokens.read(text);
  const isOrdinary =
    !token.userToken ||
    (token.isCompact &&
      isInForce(token, services) &&
      (await services.ownIssuer.trusts(token.userToken, policy)));
  const verdict = isOrdinary
    ? undefined
    : await verifyPublicToken(text, request);
  return verdict instanceof Refusal ? verdict : undefined;
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
export async function verifyPublicToken(
  text: string,
  request: Verification,
): Promise<SessionClaims | Refusal | undefined> {
  const { policy, services } = request;
  const token = services.tokens.read(text);
  const { claims, session, userToken } = token;
  if (!userToken) {
    return undefined;
  }
  if (!token.isCompact) {
    return Refusal.because('invalid-token', 'malformed');
  }
  const isLimited = claims?.typ === tokenTypes.limitedUser.typParam;
  const presented = {
    kind: isLimited ? 'user-cookie' : 'bearer',
    token: text,
  } as const;
  try {
    await verifyCredential(request, presented);
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
      error === Refusal.because('keys-unavailable', 'new-key')
    ) {
      return undefined;
    }
    // Another system's token needs no keys of this one, which has none before its first sign-in.
    const isOnlyForeign =
      isInForce(token, services) &&
      !(await services.ownIssuer.trusts(userToken, policy));
    if (isOnlyForeign) {
      return undefined;
    }
    throw error;
  }
  // The list may have been loaded while the token was verified.
  return findSessionRefusal(token, services) ?? session;
}

/** Returns whether the session that a token claims to be of is known not to be revoked. */
function isInForce({ session }: Token, { revocations }: GateServices): boolean {
  return (
    session !== undefined &&
    revocations.isLoaded &&
    !revocations.isRevoked(session)
  );
}
