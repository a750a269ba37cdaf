import type { TokenKind } from '../Decision';
import type { Judgement } from '../judge/judge';
import { findUserTokens } from '../read/findUserTokens';
import type { Token } from '../read/token';
import { Refusal } from '../Refusal';
import type { SessionClaims } from '../sessions/Revocation';
import type { GateRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';
import type { Steps } from './steps';
import { findSessionRefusal, verifyAsRead } from './verifyToken';

// Report-only tries the rules, and carries out orders: a user who has signed out is refused. Such a user could provoke a refusal for
// another reason, by a second `Authorization` for example. Report-only would let that request go on, and a handler could read the
// user's token. So report-only looks for tokens in each request that the gate refuses for another reason.

/**
 * Changes a judgement that refuses into an order, a refusal that report-only carries out too, if the request holds a token of a session
 * that was revoked. On a protected route, and for an upgrade, such a token ends in 401. On other routes the same happens as if the gate
 * enforced: a cookie is removed, and the refusal for any other token is carried out. That includes a sign-out that is not in force
 * everywhere, since this replica has revoked the session.
 *
 * A token that can't be verified now does not end the request, because no handler can verify it either. The sessions of the other tokens
 * of an upgrade end its socket.
 */
export function* applyOrders(
  request: GateRequest,
  refusal: Refusal,
  judgement: Judgement,
): Steps<void> {
  const { isEnforced, isUpgrade, route } = request;
  if (refusal.isOrder || isEnforced) {
    return;
  }
  const isProtected = isUpgrade || route === 'protected';
  const { ends, kind, order, sessions } = yield* lookUpTokens(
    request,
    // A sign-out reads the cookie. On a public route, the cookie of a revoked session is removed.
    isProtected || route === 'sign-out',
  );
  if (isProtected && order) {
    judgement.reason = order;
    judgement.credential = kind;
  } else if (ends) {
    judgement.reason = refusal.asOrder();
  } else if (isUpgrade) {
    judgement.socketEnds = ['not-admitted', ...sessions];
  }
}

/** The order that the tokens of a request are under, if any. */
interface FoundOrder {
  /** Whether the request ends. */
  ends: boolean;
  /** The refusal of a token that verifies and is not accepted any more; `undefined` if there are too many to look at. */
  order?: Refusal;
  /** Where that token is. */
  kind: TokenKind;
  /** The sessions of an upgrade's other tokens. */
  sessions: SessionClaims[];
}

/**
 * Looks up the tokens of users that a handler may read in a request, and verifies each one whose claims name a revoked session; for an
 * upgrade, each one, since its session may be revoked later. A request with too many tokens ends, whatever the tokens claim: a forged
 * token must not reveal whether a session was revoked.
 *
 * @throws any error that is neither a refusal nor that of a plugin which starts, so that the request ends closed
 */
function* lookUpTokens(
  request: GateRequest,
  withCookies: boolean,
): Steps<FoundOrder> {
  const { isUpgrade, services } = request;
  const tokens = findUserTokens(request, withCookies);
  const sessions: SessionClaims[] = [];
  if (!tokens) {
    return { ends: true, kind: 'bearer', sessions };
  }
  for (const [text, kind] of tokens) {
    const token = services.tokens.read(text);
    const isNamed = findOrder(token, services) !== undefined;
    if ((isNamed || isUpgrade) && (yield* verifies(token, request, isNamed))) {
      // The session may have been revoked while the token was verified.
      const order = findOrder(token, services);
      if (order) {
        return { ends: true, order, kind, sessions };
      }
      sessions.push(...(token.session ? [token.session] : []));
    }
  }
  return { ends: false, kind: 'bearer', sessions };
}

/** Returns the refusal of a token whose claims name a session that was revoked. */
function findOrder(token: Token, services: GateServices): Refusal | undefined {
  const refusal = findSessionRefusal(token, services);
  return refusal?.isOrder ? refusal : undefined;
}

/**
 * Returns whether a token verifies now. Backstage's handlers do not check the issuer.
 *
 * @throws any unexpected error for a token whose claims name an order, so that the request ends closed
 */
function* verifies(
  token: Token,
  request: GateRequest,
  isNamed: boolean,
): Steps<boolean> {
  const outcome = yield* verifyAsRead(request, token);
  if (!(outcome instanceof Refusal)) {
    return true;
  }
  if (outcome.reason === 'failed' && isNamed) {
    throw outcome;
  }
  return outcome.reason === 'untrusted-issuer';
}
