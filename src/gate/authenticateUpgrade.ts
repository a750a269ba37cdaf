import type { GateCookie } from '../cookie/GateCookie';
import { judgePublicToken } from '../credentials/findPublicRefusal';
import { presentsCredential } from '../credentials/presentsCredential';
import { readBearer } from '../credentials/readCredential';
import { readProtocols } from '../credentials/readProtocols';
import { substituteRequest } from '../credentials/substituteRequest';
import {
  readUpgradeTokens,
  assertFew,
  UpgradeToken,
} from '../credentials/readUpgradeTokens';
import {
  VerifiedCredential,
  VerifyOptions,
  verifyTimed,
} from '../credentials/verifyCredential';
import { isExpired } from '../credentials/token';
import type { AllowRule } from '../config/AllowRule';
import { Refusal } from '../decision/Refusal';
import type { GateObserver } from '../decision/GateObserver';
import { assertNotRevoked } from '../credentials/assertNotRevoked';
import type { SessionClaims } from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';
import type { GateRequest } from './GateRequest';
import { removeRevokedUserCookie } from './revokedSessions';

/** The services with which the gate decides about upgrades. */
export interface UpgradeServices extends VerifyOptions {
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  observer: GateObserver;
  revocations: Revocations;
}

/** The part of a {@link GateRequest} that authenticating an upgrade needs. */
type AuthenticatedRequest = Pick<
  GateRequest,
  'req' | 'policy' | 'plugin' | 'credential' | 'forwarded'
>;

/** The token that authenticated an upgrade. */
export interface AuthenticatedUpgrade {
  presented: UpgradeToken;
  verified: VerifiedCredential;
}

/**
 * Why an upgrade may pass: a rule, or the credential that authenticated it. The socket is closed when one of `sessions` ends: that
 * of the judged token or, under a rule, those of all valid tokens.
 */
export type UpgradeReason = { sessions: SessionClaims[] } & (
  | { rule: AllowRule; judged?: undefined }
  | { rule?: undefined; judged: AuthenticatedUpgrade }
);

/**
 * Decides whether an upgrade may pass, in Express and at the server.
 *
 * @throws Refusal if not
 */
export async function decideUpgrade(
  request: GateRequest,
  services: UpgradeServices,
): Promise<UpgradeReason> {
  await request.plugin.started();
  const { route } = request;
  if (typeof route !== 'object') {
    const judged = await authenticateUpgrade(request, services);
    const { session } = judged.verified.token;
    return { judged, sessions: session ? [session] : [] };
  }
  const sessions = await readPublicSessions(request, services);
  await removeRevokedUserCookie(request, services);
  request.isAnonymous = !presentsCredential(request.req, services.cookie);
  return { rule: route, sessions };
}

/**
 * Returns the sessions of the valid tokens of an upgrade to a public path, where a handler may read them.
 *
 * @throws Refusal if a token is refused on every route, as by {@link judgePublicToken}, if there are too many, or if the keys are
 *   not available
 */
async function readPublicSessions(
  { plugin, policy, req }: GateRequest,
  services: UpgradeServices,
): Promise<SessionClaims[]> {
  const bearer = readBearer(req);
  const protocols = readProtocols(req);
  const tokens = [...protocols, ...(bearer ? [bearer] : [])];
  assertFew(tokens);
  const sessions = new Map<string, SessionClaims>();
  for (const token of tokens) {
    const judged = await judgePublicToken(token, plugin, policy, services);
    if (judged instanceof Refusal) {
      throw judged;
    }
    if (judged) {
      sessions.set(token, judged);
    }
  }
  assertNotCut(protocols, sessions.has(protocols[0]), services);
  return [...sessions.values()];
}

/**
 * Refuses several protocols whose first one claims a user, has not expired, and is not what the gate has verified. A listener may
 * take the whole header as one token, as `signals` does before November 2026. Where Backstage skips other characters, a comma may
 * then cut the signature of a token, so that no protocol alone is a token.
 *
 * @throws Refusal 401
 */
function assertNotCut(
  [first, ...others]: string[],
  hasVerified: boolean,
  { tokens }: UpgradeServices,
): void {
  if (others.length === 0 || hasVerified) {
    return;
  }
  const { claims, userToken } = tokens.read(first);
  if (userToken && !isExpired(claims!)) {
    throw Refusal.invalid.malformed;
  }
}

/**
 * Refuses a first protocol that a listener may accept as another user than the judged one: it verifies, and the gate accepts it on
 * no route, or it may be a part of a token that does. One that does not verify is nothing to a listener either.
 *
 * @throws Refusal
 */
async function assertNoOtherUser(
  judgedToken: string,
  { plugin, policy, req }: AuthenticatedRequest,
  services: UpgradeServices,
): Promise<void> {
  const protocols = readProtocols(req);
  const [first = judgedToken] = protocols;
  if (first === judgedToken) {
    return;
  }
  const judged = await judgePublicToken(first, plugin, policy, services);
  if (judged instanceof Refusal) {
    throw judged;
  }
  assertNotCut(protocols, judged !== undefined, services);
}

/**
 * Authenticates an upgrade by its credential. If that is the cookie, or if `Authorization` has another token, the upgrade goes on
 * with the judged token as its `Authorization`. Backstage's own cookie is always removed: a handler reads it, and nothing has
 * judged it.
 *
 * @throws Refusal if no token of the upgrade verifies, or if the session of the first that does was revoked
 */
export async function authenticateUpgrade(
  request: AuthenticatedRequest,
  services: UpgradeServices,
): Promise<AuthenticatedUpgrade> {
  const { cookie, revocations } = services;
  const tokens = readUpgradeTokens(request.req, cookie);
  const judged = await verifyFirst(tokens, request, services);
  // If the verified token's session is revoked, the gate does not fall back to another token.
  assertNotRevoked(judged.verified, revocations);
  const { kind, token } = judged.presented;
  await assertNoOtherUser(token, request, services);
  if (kind === 'cookie' || token !== (readBearer(request.req) ?? token)) {
    request.forwarded.bearer = token;
  }
  request.forwarded.userCookie = 'removed';
  return judged;
}

/** @throws Refusal if no token verifies: preferably one that may be different at another moment or plugin, else the last */
async function verifyFirst(
  tokens: UpgradeToken[],
  request: AuthenticatedRequest,
  services: UpgradeServices,
): Promise<AuthenticatedUpgrade> {
  const refusals: Refusal[] = [];
  for (const presented of tokens) {
    request.credential = presented.kind;
    try {
      return {
        presented,
        verified: await verify(presented, request, services),
      };
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      refusals.push(error);
    }
  }
  throw refusals.find(({ isFinal }) => !isFinal) ?? refusals.at(-1);
}

async function verify(
  presented: UpgradeToken,
  { req, plugin, policy }: AuthenticatedRequest,
  services: UpgradeServices,
): Promise<VerifiedCredential> {
  // CORS does not apply to WebSockets: a page of any origin may read the answer. So only trusted origins may use the cookie.
  if (presented.kind === 'cookie' && policy.isCrossSite(req)) {
    throw Refusal.crossSite;
  }
  const substitute = substituteRequest(presented.token);
  return verifyTimed(substitute, plugin, presented, policy, services);
}
