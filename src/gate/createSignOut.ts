import type { Request } from 'express';
import { clearCookie } from '../cookie/clearCookie';
import type { GateCookie } from '../cookie/GateCookie';
import { readBearer } from '../credentials/readCredential';
import {
  PresentedToken,
  VerifiedCredential,
  verifyCredential,
  VerifyOptions,
} from '../credentials/verifyCredential';
import type { GateObserver } from '../decision/GateObserver';
import type { UserSignOut } from '../revocation/createUserSignOut';
import { sessionClaimsOf } from '../credentials/assertNotRevoked';
import {
  Revocation,
  revocationOfSession,
  SessionClaims,
} from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';
import { RateLimit } from '../util/RateLimit';
import type { ExpressRequest } from './GateRequest';
import { Refusal } from '../decision/Refusal';

// While keys can't be had, each asks every plugin, and any client can make tokens up.
const MAX_ASKED_OTHERS = 10;
const ASKED_OTHERS_INTERVAL_MS = 1_000;

/** What a sign-out needs. */
export interface SignOutOptions extends VerifyOptions {
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  observer: Pick<GateObserver, 'signedOut'>;
  revocations: Revocations;
  signOutUser: UserSignOut;
}

/** One revocation, and whether other replicas will see it. */
interface Ended {
  revocation: Revocation;
  isStored: boolean;
}

/**
 * Makes the handler that revokes the session of a sign-out call's cookie, and of its bearer token if it has one. A call with
 * neither goes on to its handler as it came. The cookie is cleared even where the token can't be verified for want of keys.
 *
 * @returns whether the call had a valid credential, of a session that was not revoked before. It throws a Refusal: 403 if another site's page made the call, and
 *   503 if the sign-out is not in force everywhere
 */
export function createSignOut(
  options: SignOutOptions,
): (request: ExpressRequest) => Promise<boolean> {
  const { cookie, observer, plugins, revocations, signOutUser } = options;
  const askedOthers = new RateLimit({
    max: MAX_ASKED_OTHERS,
    intervalMs: ASKED_OTHERS_INTERVAL_MS,
  });

  /** What a token verifies as, whether or not its session was revoked. Only such a session can be revoked. */
  async function verify(
    { req, plugin, policy }: ExpressRequest,
    presented: PresentedToken,
  ): Promise<VerifiedCredential | undefined> {
    try {
      return await verifyCredential(req, plugin, presented, policy, options);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      if (error.isFinal || error.reason === 'restricted') {
        return undefined;
      }
      if (error.reason !== 'keys-unavailable' || askedOthers.take() > 0) {
        throw error;
      }
      // A user token is the same for every plugin: another one may remember it, or the keys.
      const { token } = presented;
      const substitute = {
        headers: { authorization: `Bearer ${token}` },
      } as Request;
      return Promise.any(
        [...plugins.all()].map(other =>
          verifyCredential(substitute, other, presented, policy, options),
        ),
      ).catch(() => {
        throw error;
      });
    }
  }

  /** @throws Refusal 503 if one can't be verified now. For want of keys, the cookie is cleared all the same. */
  async function verifyAll(
    request: ExpressRequest,
    presented: PresentedToken[],
  ): Promise<VerifiedCredential[]> {
    const { req, res } = request;
    const verified: VerifiedCredential[] = [];
    try {
      for (const each of presented) {
        const credential = await verify(request, each);
        if (credential) {
          verified.push(credential);
        }
      }
    } catch (error) {
      // A backend that starts or stops leaves the cookie: the same call revokes the session a moment later.
      if (error instanceof Refusal && error.reason === 'keys-unavailable') {
        clearCookie(cookie, req, res);
      }
      throw error;
    }
    return verified;
  }

  async function endSession(
    session: SessionClaims,
    { policy }: ExpressRequest,
  ): Promise<Ended[]> {
    const { scope, offlineSessions } = policy.config.signOut;
    // A revoked session has no power over later ones.
    const isOfUser = scope === 'user' && !revocations.isRevoked(session);
    const revocation = revocationOfSession(session);
    // Once more, in case that is not stored yet.
    const stored = revocations.revoke(revocation).then(
      () => true,
      () => false,
    );
    const ofUser = isOfUser
      ? await signOutUser(session.sub, { known: session, offlineSessions })
      : undefined;
    const ended = [{ revocation, isStored: await stored }];
    return ofUser ? [...ended, ofUser] : ended;
  }

  return async request => {
    const { req, res, pluginId, policy } = request;
    const presented: PresentedToken[] = [];
    const present = cookie?.read(req.headers.cookie) ?? { kind: 'none' };
    if (present.kind !== 'none') {
      request.credential = 'cookie';
      if (policy.isCrossSite(req)) {
        throw Refusal.crossSite;
      }
    }
    if (present.kind === 'token') {
      presented.push({ kind: 'cookie', token: present.token });
    }
    const bearer = readBearer(req);
    if (bearer) {
      presented.push({ kind: 'bearer', token: bearer });
    }
    const verified = await verifyAll(request, presented);
    clearCookie(cookie, req, res);
    const sessions = verified
      .map(({ userToken }) => userToken && sessionClaimsOf(userToken))
      .filter(session => session !== undefined);
    const hasCredential =
      verified.length > sessions.length ||
      sessions.some(session => !revocations.isRevoked(session));
    const ended = (
      await Promise.all(sessions.map(session => endSession(session, request)))
    ).flat();
    ended.forEach(({ revocation: { scope, sub }, isStored }) =>
      observer.signedOut(pluginId, { scope, userEntityRef: sub, isStored }),
    );
    if (!ended.every(({ isStored }) => isStored)) {
      throw Refusal.signOutNotStored;
    }
    if (ended.some(isIncomplete)) {
      throw Refusal.signOutIncomplete;
    }
    return hasCredential;
  };
}

function isIncomplete(ended: Ended & { offlineSessions?: unknown }): boolean {
  return ended.offlineSessions === 'unreachable';
}
