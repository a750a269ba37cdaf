import {
  findBearer,
  PresentedToken,
  substituteRequest,
} from '../read/readCredential';
import type { CredentialKind } from '../Decision';
import { Refusal } from '../Refusal';
import type { Revocation, SessionClaims } from './Revocation';
import { RateLimit } from '../util/RateLimit';
import { clearCookie } from '../carryOut/answer';
import type { GateRequest } from '../read/GateRequest';
import type { EndedSessions } from '../GateServices';
import {
  findRefusal,
  VerifiedCredential,
  verifyCredential,
} from '../verify/verifyCredential';

// A browser that has a cookie of an earlier domain sends two. Any client can send more, and each takes time.
const MAX_CONFLICTING = 5;

/**
 * Makes the limit of sign-outs that ask other plugins. While keys can't be had, each sign-out asks every plugin, and any client can
 * make up tokens. More of them get 503 at once.
 */
export function createOthersLimit(): RateLimit {
  return new RateLimit({ max: 10, intervalMs: 1_000 });
}

/**
 * Revokes the session of a sign-out call's cookie, or those of its whole cookies if they conflict (five at most), and that of its
 * bearer token if it has one. A call with neither goes on to its handler as it came. If one of several tokens can't be verified, the
 * sessions of the others are revoked, and the cookie is cleared for want of keys: no later call may have it.
 *
 * @returns whether the call had a credential that the gate accepts on other routes: its session was not revoked before
 * @throws Refusal 403 if another site's page made the call, and 503 if the sign-out is not in force everywhere
 */
export async function endSessions(request: GateRequest): Promise<boolean> {
  const { failure, verified } = await verifyAll(request, readTokens(request));
  // A backend that starts or stops leaves the cookie: the same call revokes the session a moment later.
  if (!failure || failure.reason === 'keys-unavailable') {
    clearCookie(request);
  }
  const sessions = verified
    .map(({ token }) => token.session)
    .filter(session => session !== undefined);
  // Before the sessions are revoked: afterwards no token would be a credential.
  const hasCredential = verified.some(each => !findRefusal(each, request));
  await revokeAll(request, sessions);
  if (failure) {
    throw failure;
  }
  return hasCredential;
}

/** @throws Refusal 403 if another site's page made the browser send the cookie */
function readTokens(request: GateRequest): PresentedToken[] {
  const { places, policy, req, services } = request;
  const header = req.headers.cookie;
  const presented: PresentedToken[] = [];
  const present = services.cookie?.read(header) ?? { kind: 'none' };
  if (present.kind === 'token') {
    request.credential = 'cookie';
    presented.push({ kind: 'cookie', token: present.token });
  }
  if (present.kind === 'conflict') {
    // The gate accepts none of them as a credential. All are cleared, and the browser's user expects the session to end.
    const tokens = services.cookie!.readWhole(header);
    for (const token of tokens.slice(0, MAX_CONFLICTING)) {
      presented.push({ kind: 'cookie', token });
    }
  }
  if (present.kind !== 'none' && policy.isCrossSite(req)) {
    throw Refusal.because('cross-site');
  }
  const bearer = findBearer(req, places);
  if (bearer) {
    presented.push({ kind: 'bearer', token: bearer });
  }
  return presented;
}

/**
 * Returns the tokens that verify, and the refusal of a token that can't be verified now. The request's `credential` becomes the kind of
 * the last of them, or `none`.
 */
async function verifyAll(
  request: GateRequest,
  presented: PresentedToken[],
): Promise<{ verified: VerifiedCredential[]; failure?: Refusal }> {
  const verified: VerifiedCredential[] = [];
  let failure: Refusal | undefined;
  let credential: CredentialKind = 'none';
  for (const each of presented) {
    request.credential = each.kind;
    const found = await verify(request, each);
    if (found instanceof Refusal) {
      failure ??= found;
    } else if (found) {
      verified.push(found);
    }
    credential = found ? each.kind : credential;
  }
  request.credential = credential;
  return { failure, verified };
}

/**
 * Verifies a token, whether or not its session was revoked. Only the session of a token that verifies can be revoked.
 *
 * @returns `undefined` for a token that does not verify, and a refusal if that can't be found out now
 */
async function verify(
  request: GateRequest,
  presented: PresentedToken,
): Promise<VerifiedCredential | Refusal | undefined> {
  const { policy, services } = request;
  try {
    return await verifyCredential(request, presented);
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
    if (error.isFinal || error.reason === 'restricted') {
      return undefined;
    }
    if (
      error.reason !== 'keys-unavailable' ||
      services.signOutsByOthers.take() > 0
    ) {
      return error;
    }
    // A user token is the same for every plugin: another one may have cached the token, or the keys.
    const req = substituteRequest(presented.token);
    const others = [...services.plugins.all()].map(plugin =>
      verifyCredential({ plugin, policy, req, services }, presented),
    );
    return Promise.any(others).catch(() => error);
  }
}

/** @throws Refusal 503 if other replicas, or OAuth clients, do not see a revocation yet */
async function revokeAll(
  request: GateRequest,
  sessions: SessionClaims[],
): Promise<void> {
  const { pluginId, services } = request;
  const ended = (
    await Promise.all(sessions.map(each => revoke(each, request)))
  ).flat();
  ended.forEach(({ revocation: { scope, sub }, isStored }) =>
    services.observer.signedOut(pluginId, {
      scope,
      userEntityRef: sub,
      isStored,
    }),
  );
  if (!ended.every(({ isStored }) => isStored)) {
    throw Refusal.because('sign-out-not-stored');
  }
  if (ended.some(each => each.offlineSessions === 'unreachable')) {
    throw Refusal.because('sign-out-incomplete');
  }
}

async function revoke(
  session: SessionClaims,
  { policy, services }: GateRequest,
): Promise<EndedSessions[]> {
  const { revocations, signOutUser } = services;
  const { scope, offlineSessions } = policy.config.signOut;
  // The token of a revoked session cannot end the user's other sessions.
  const isOfUser = scope === 'user' && !revocations.isRevoked(session);
  const revocation: Revocation = { scope: 'session', ...session };
  // A session that was revoked before is revoked again, because the store may not have that revocation.
  const stored = revocations.revoke(revocation);
  const ofUser = isOfUser
    ? await signOutUser(session.sub, { known: session, offlineSessions })
    : undefined;
  const ended = [{ revocation, isStored: await stored }];
  return ofUser ? [...ended, ofUser] : ended;
}
