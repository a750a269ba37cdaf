import type { TokenKind } from '../Decision';
import { tokenTypes } from '@backstage/plugin-auth-node';
import {
  FoundToken,
  isNeeded,
  TokenOutcome,
  VerifiedToken,
} from '../judge/findRefused';
import type { GateRequest } from '../read/GateRequest';
import type { PresentedToken, Token } from '../read/token';
import { Refusal, toRefusal } from '../Refusal';
import { awaited, run, Steps } from './steps';
import { findSessionRefusal, verifyAsRead, verifyToken } from './verifyToken';

/**
 * Finds out what the tokens of a request are, one after the other, as long as the judgement may depend on the next one. This is the only
 * step that asks Backstage about tokens: its `auth`, keys and discovery. It never throws: an unexpected error is the refusal
 * `failed` of the token.
 */
export function* verifyTokens(
  request: GateRequest,
  tokens: readonly PresentedToken[],
): Steps<FoundToken[]> {
  const { logger } = request.services;
  const found: FoundToken[] = [];
  for (const presented of tokens) {
    if (isNeeded(presented, found)) {
      let outcome: TokenOutcome;
      try {
        outcome = presented.refused ?? (yield* verify(request, presented));
      } catch (error) {
        outcome = toRefusal(error, logger);
      }
      found.push({ presented, outcome });
    }
  }
  return found;
}

function verify(
  request: GateRequest,
  { kind, role, token }: PresentedToken,
): Steps<TokenOutcome> {
  switch (role) {
    case 'authenticates':
      return verifyToken(request, kind as TokenKind, token!);
    case 'signs out':
      return verifyForSignOut(request, kind as TokenKind, token!);
    default:
      return verifyReadable(request, kind, token!);
  }
}

/**
 * Verifies a token that a handler which needs none may read.
 *
 * - In a request, a user's token is verified only if its session may have ended, or if its issuer is not trusted. A forged token of a
 *   revoked session has the same result as one of another session, so that nobody can find out who has signed out
 * - In an upgrade, each one of a user is verified: its session may end while the socket is open
 * - A token that is no user's and no plugin's is verified if `auth.apiGate.tokens` may exclude it, now or while the socket of an upgrade
 *   is open. A handler that reads it would act for its subject
 */
function* verifyReadable(
  request: GateRequest,
  kind: PresentedToken['kind'],
  token: Token,
): Steps<TokenOutcome> {
  const { isUpgrade, policy, services } = request;
  const { claims, userToken } = token;
  const isCookie = kind === 'user-cookie';
  if (!userToken) {
    const isPlugin = claims?.typ === tokenTypes.plugin.typParam;
    const isFree = !isUpgrade && policy.tokenLimits.isUnlimited;
    return isCookie || isPlugin || isFree
      ? 'harmless'
      : yield* verifyToken(request, 'bearer', token);
  }
  const trusts = () => awaited(services.ownIssuer.trusts(userToken));
  if (
    token.isCompact &&
    (isCookie || !isUpgrade) &&
    !findSessionRefusal(token, services) &&
    (yield* trusts())
  ) {
    return 'harmless';
  }
  const outcome = yield* verifyAsRead(request, token);
  // A token of another system is harmless, though this backend has no keys before its first sign-in.
  const isForeign =
    outcome instanceof Refusal &&
    !outcome.isFinal &&
    !outcome.isUnexpected &&
    !findSessionRefusal(token, services) &&
    !(yield* trusts());
  return isForeign ? 'harmless' : outcome;
}

/** Verifies a token whose session is to be revoked. Only that of a token that verifies can be. */
function* verifyForSignOut(
  request: GateRequest,
  kind: TokenKind,
  token: Token,
): Steps<TokenOutcome> {
  const { policy, services } = request;
  const outcome = yield* verifyToken(request, kind, token);
  if (
    !(outcome instanceof Refusal) ||
    outcome.reason !== 'keys-unavailable' ||
    services.signOutsByOthers.take() > 0
  ) {
    return outcome;
  }
  // A user token is the same for every plugin: another one may have cached the token, or the keys.
  const others = [...services.plugins.all()].map(async plugin => {
    const other = await run(
      verifyToken({ plugin, policy, services }, kind, token),
    );
    return other instanceof Refusal ? Promise.reject(other) : other;
  });
  return yield* awaited(
    Promise.any<VerifiedToken>(others).catch(() => outcome),
  );
}
