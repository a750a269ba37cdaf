import {
  assertFew,
  findBearer,
  PresentedToken,
  presentsCredential,
  readProtocols,
  readUpgradeTokens,
} from '../read/readCredential';
import { isExpired } from '../read/token';
import { Refusal } from '../Refusal';
import type { SessionClaims } from '../sessions/Revocation';
import { restrictAnswer } from '../carryOut/answer';
import type { Passed } from '../decide';
import type { GateRequest } from '../read/GateRequest';
import {
  refuseIfLimited,
  refuseLimitedTokens,
  removeRevokedUserCookie,
  verifyPublicToken,
} from '../verify/publicTokens';
import {
  findRefusal,
  isUser,
  reportExternalToken,
  socketSessionOf,
  VerifiedCredential,
  verifyTimed,
} from '../verify/verifyCredential';

/** The token that authenticated an upgrade. */
export interface AuthenticatedUpgrade {
  presented: PresentedToken;
  verified: VerifiedCredential;
}

/**
 * Decides whether an upgrade may pass, in Express and at the server. The socket is closed when one of its sessions ends: that of
 * the token that authenticated it or, under a rule, those of all valid tokens.
 *
 * @throws Refusal if not
 */
export async function decideUpgrade(request: GateRequest): Promise<Passed> {
  const { plugin, req, route } = request;
  await plugin.started();
  if (typeof route === 'object') {
    // First: report-only lets an upgrade go on that one of the tokens below refuses.
    await removeRevokedUserCookie(request);
    const ofUsers = await readPublicSessions(request);
    const sessions = [...ofUsers, ...(await refuseLimitedTokens(request))];
    request.isAnonymous = !presentsCredential(req, request.places);
    restrictAnswer(request, 'none');
    return { reason: 'allow-rule', rule: route, sessions };
  }
  const { presented, verified } = await authenticateUpgrade(request);
  const session = socketSessionOf(verified, request);
  // Where no listener takes the upgrade, a handler in Express may answer it as any other request.
  if (isUser(verified.credentials)) {
    restrictAnswer(request, presented.kind);
  }
  return {
    reason: presented.kind,
    presented,
    verified,
    sessions: session ? [session] : [],
  };
}

/**
 * Authenticates an upgrade by its credential. If that is the cookie, or if `Authorization` has another token, the upgrade goes on
 * with the verified token as its `Authorization`. Backstage's own cookie is always removed: a handler reads it, and nothing has
 * verified it.
 *
 * @param places - where the upgrade may hold its credential
 * @throws Refusal if no token of the upgrade verifies, or if the first that does is refused all the same
 */
export async function authenticateUpgrade(
  request: GateRequest,
  places = request.places,
): Promise<AuthenticatedUpgrade> {
  const { forwarded, req } = request;
  const authenticated = await verifyFirst(
    readUpgradeTokens(req, places),
    request,
  );
  const { presented, verified } = authenticated;
  // If the verified token's session is revoked, or its limits exclude the request, the gate does not fall back to another token.
  const refusal = findRefusal(verified, request);
  if (refusal) {
    throw refusal;
  }
  reportExternalToken(verified, request);
  await assertFirstProtocolHarmless(presented.token, request);
  forwarded.userCookie = 'removed';
  return authenticated;
}

/** @throws Refusal if no token verifies: preferably one that may be different at another moment or plugin, else the last */
async function verifyFirst(
  tokens: PresentedToken[],
  request: GateRequest,
): Promise<AuthenticatedUpgrade> {
  const refusals: Refusal[] = [];
  for (const presented of tokens) {
    request.credential = presented.kind;
    try {
      // CORS does not apply to WebSockets: a page of any origin may read the answer. So only trusted origins may use the cookie.
      if (
        presented.kind === 'cookie' &&
        request.policy.isCrossSite(request.req)
      ) {
        throw Refusal.because('cross-site');
      }
      const verified = await verifyTimed(request, presented);
      return { presented, verified };
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      refusals.push(error);
    }
  }
  throw refusals.find(({ isFinal }) => !isFinal) ?? refusals.at(-1);
}

/**
 * Refuses a first protocol that is not the verified token, if the gate accepts it on no route, or if it may be one half of a token
 * that a comma has cut: a listener may read it all the same. One that does not verify is nothing to a listener either.
 *
 * @throws Refusal
 */
async function assertFirstProtocolHarmless(
  verifiedToken: string,
  request: GateRequest,
): Promise<void> {
  const protocols = readProtocols(request.req);
  const [first = verifiedToken] = protocols;
  if (first === verifiedToken) {
    return;
  }
  const verdict = await verifyPublicToken(first, request);
  if (verdict instanceof Refusal) {
    throw verdict;
  }
  assertNotCut(protocols, verdict !== undefined, request);
  await refuseIfLimited(first, request);
}

/**
 * Returns the sessions of the valid tokens of an upgrade to a public path, where a handler may read them.
 *
 * @throws Refusal if a token is refused on every route, as by {@link verifyPublicToken}, if there are too many, or if the keys are
 *   not available
 */
async function readPublicSessions(
  request: GateRequest,
): Promise<SessionClaims[]> {
  const { places, req } = request;
  const protocols = readProtocols(req);
  const tokens = [...protocols, findBearer(req, places) ?? []].flat();
  assertFew(tokens);
  const sessions = new Map<string, SessionClaims>();
  for (const token of tokens) {
    const verdict = await verifyPublicToken(token, request);
    if (verdict instanceof Refusal) {
      throw verdict;
    }
    if (verdict) {
      sessions.set(token, verdict);
    }
  }
  assertNotCut(protocols, sessions.has(protocols[0]), request);
  return [...sessions.values()];
}

/**
 * Refuses several protocols whose first one claims a user, has not expired, and is not what the gate has verified. Before 0.19
 * `signals` reads the whole header as one token. Where Backstage skips other characters, a comma may then cut the signature of a
 * token, so that no protocol alone is a token.
 *
 * @throws Refusal 401
 */
function assertNotCut(
  [first, ...others]: string[],
  hasVerified: boolean,
  { services: { tokens } }: GateRequest,
): void {
  if (others.length === 0 || hasVerified) {
    return;
  }
  const { claims, userToken } = tokens.read(first);
  if (userToken && !isExpired(claims!)) {
    throw Refusal.because('invalid-token', 'malformed');
  }
}
