import { clearCookie } from '../cookie/clearCookie';
import type { GateCookie } from '../cookie/GateCookie';
import { readBearer } from '../credentials/readCredential';
import {
  PresentedToken,
  verifyCredential,
  VerifyOptions,
} from '../credentials/verifyCredential';
import type { Passage } from './Passage';
import type { TargetPlugin } from '../plugins/Plugins';
import { Refusal } from './Refusal';
import type { GateObserver } from '../observability/GateObserver';
import { sessionClaimsOf } from '../revocation/requireNotRevoked';
import {
  revocationOfSession,
  revocationOfUser,
} from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';

/** What a sign-out needs. */
export interface SignOutOptions extends VerifyOptions {
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  observer: Pick<GateObserver, 'signedOut'>;
  revocations: Revocations;
}

/**
 * Makes what ends the session of a sign-out call's cookie, and of its bearer token if it has one. A call with neither goes on
 * to its handler as it came.
 *
 * @returns what throws a Refusal: 403 if another site's page made the call, and 503 if it is not in force everywhere
 */
export function createSignOut(
  options: SignOutOptions,
): (passage: Passage, plugin: TargetPlugin) => Promise<void> {
  const { cookie, observer, revocations } = options;

  /** The session of a token that verifies, ended already or not: only such a one can be ended. */
  async function verifiedSession(
    { req, policy }: Passage,
    plugin: TargetPlugin,
    presented: PresentedToken,
  ) {
    try {
      const { userToken } = await verifyCredential(
        req,
        plugin,
        presented,
        policy,
        options,
      );
      return userToken && sessionClaimsOf(userToken);
    } catch (error) {
      if (
        error instanceof Refusal &&
        (error.isFinal || error.reason === 'restricted')
      ) {
        return undefined;
      }
      throw error;
    }
  }

  return async (passage, plugin) => {
    const { req, res, policy } = passage;
    const sessions = [];
    const present = cookie?.read(req.headers.cookie) ?? { kind: 'none' };
    if (present.kind !== 'none') {
      passage.credential = 'cookie';
      if (policy.isCrossSite(req)) {
        throw Refusal.crossSite;
      }
    }
    if (present.kind === 'token') {
      const { token } = present;
      sessions.push(
        await verifiedSession(passage, plugin, { kind: 'cookie', token }),
      );
    }
    const bearer = readBearer(req);
    if (bearer) {
      sessions.push(
        await verifiedSession(passage, plugin, {
          kind: 'bearer',
          token: bearer,
        }),
      );
    }
    clearCookie(cookie, req, res);
    const ended = sessions
      .filter(session => session !== undefined)
      .flatMap(session =>
        // An ended session is ended once more, in case that is not stored yet, but has no power over later ones.
        policy.config.signOut.scope === 'user' &&
        !revocations.isRevoked(session)
          ? [
              revocationOfSession(session),
              revocationOfUser(session.sub, session),
            ]
          : [revocationOfSession(session)],
      );
    const results = await Promise.allSettled(
      ended.map(revocation => revocations.revoke(revocation)),
    );
    const isStored = results.every(({ status }) => status === 'fulfilled');
    ended.forEach(({ scope, sub }) =>
      observer.signedOut(plugin.id, { scope, userEntityRef: sub, isStored }),
    );
    if (!isStored) {
      throw Refusal.signOutNotStored;
    }
  };
}
