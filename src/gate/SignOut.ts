import { clearCookie } from '../cookie/clearCookie';
import type { GateCookie } from '../cookie/GateCookie';
import { findSessionRefusal } from '../credentials/assertNotRevoked';
import { readBearer } from '../credentials/readCredential';
import { substituteRequest } from '../credentials/substituteRequest';
import {
  PresentedToken,
  VerifiedCredential,
  verifyCredential,
  VerifyOptions,
} from '../credentials/verifyCredential';
import type { CredentialKind } from '../decision/Decision';
import type { GateObserver } from '../decision/GateObserver';
import { Refusal } from '../decision/Refusal';
import type { UserSignOut } from '../revocation/createUserSignOut';
import {
  Revocation,
  revocationOfSession,
  SessionClaims,
} from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';
import { RateLimit } from '../util/RateLimit';
import type { ExpressRequest } from './GateRequest';

// While keys can't be had, each sign-out asks every plugin, and any client can make up tokens. More of them get 503 at once.
const MAX_ASKED_OTHERS = 10;
const ASKED_OTHERS_INTERVAL_MS = 1_000;

// A browser that has a cookie of an earlier domain sends two. Any client can send more, and each takes time.
const MAX_CONFLICTING = 5;

/** The services that a sign-out needs. */
export interface SignOutOptions extends VerifyOptions {
  /** `undefined`: no cookie is read. */
  cookie: GateCookie | undefined;
  observer: Pick<GateObserver, 'signedOut'>;
  revocations: Revocations;
  signOutUser: UserSignOut;
}

/** A revocation, and whether other replicas will see it. */
interface Ended {
  revocation: Revocation;
  isStored: boolean;
  offlineSessions?: unknown;
}

/** Revokes the sessions of sign-out calls. */
export class SignOut {
  readonly #askedOthers = new RateLimit({
    max: MAX_ASKED_OTHERS,
    intervalMs: ASKED_OTHERS_INTERVAL_MS,
  });

  constructor(private readonly services: SignOutOptions) {}

  /**
   * Revokes the session of a sign-out call's cookie, or those of its whole cookies if they conflict (five at most), and that of its
   * bearer token if it has one. A call with neither goes on to its handler as it came. The cookie is cleared even where the token can't be verified for want of keys.
   *
   * @returns whether the call had a credential that the gate accepts on other routes: its session was not revoked before
   * @throws Refusal 403 if another site's page made the call, and 503 if the sign-out is not in force everywhere
   */
  async end(request: ExpressRequest): Promise<boolean> {
    const { cookie, revocations } = this.services;
    const verified = await this.#verifyAll(request, this.#read(request));
    clearCookie(cookie, request.req, request.res);
    const sessions = verified
      .map(({ token }) => token.session)
      .filter(session => session !== undefined);
    const hasCredential = verified.some(
      each => !findSessionRefusal(each, revocations),
    );
    await this.#revokeAll(request, sessions);
    return hasCredential;
  }

  /** @throws Refusal 403 if another site's page made the browser send the cookie */
  #read(request: ExpressRequest): PresentedToken[] {
    const { req, policy } = request;
    const presented: PresentedToken[] = [];
    const present = this.services.cookie?.read(req.headers.cookie) ?? {
      kind: 'none',
    };
    if (present.kind === 'token') {
      request.credential = 'cookie';
      presented.push({ kind: 'cookie', token: present.token });
    }
    if (present.kind === 'conflict') {
      // The gate accepts none of them as a credential. All are cleared, and the browser's user expects the session to end.
      const tokens = this.services.cookie!.readWhole(req.headers.cookie);
      for (const token of tokens.slice(0, MAX_CONFLICTING)) {
        presented.push({ kind: 'cookie', token });
      }
    }
    if (present.kind !== 'none' && policy.isCrossSite(req)) {
      throw Refusal.crossSite;
    }
    const bearer = readBearer(req);
    if (bearer) {
      presented.push({ kind: 'bearer', token: bearer });
    }
    return presented;
  }

  /**
   * Returns the tokens that verify. The request's `credential` becomes the kind of the last of them, or `none`.
   *
   * @throws Refusal 503 if a token can't be verified now. For want of keys, the cookie is cleared all the same.
   */
  async #verifyAll(
    request: ExpressRequest,
    presented: PresentedToken[],
  ): Promise<VerifiedCredential[]> {
    const { req, res } = request;
    const verified: VerifiedCredential[] = [];
    let authenticatedBy: CredentialKind = 'none';
    try {
      for (const each of presented) {
        request.credential = each.kind;
        const credential = await this.#verify(request, each);
        if (credential) {
          verified.push(credential);
          authenticatedBy = each.kind;
        }
      }
    } catch (error) {
      // A backend that starts or stops leaves the cookie: the same call revokes the session a moment later.
      if (error instanceof Refusal && error.reason === 'keys-unavailable') {
        clearCookie(this.services.cookie, req, res);
      }
      throw error;
    }
    request.credential = authenticatedBy;
    return verified;
  }

  /**
   * Verifies a token, whether or not its session was revoked. Only the session of a token that verifies can be revoked.
   *
   * @returns `undefined` for a token that does not verify
   * @throws Refusal 503 if that can't be found out now
   */
  async #verify(
    { req, plugin, policy }: ExpressRequest,
    presented: PresentedToken,
  ): Promise<VerifiedCredential | undefined> {
    const { services } = this;
    try {
      return await verifyCredential(req, plugin, presented, policy, services);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      if (error.isFinal || error.reason === 'restricted') {
        return undefined;
      }
      if (error.reason !== 'keys-unavailable' || this.#askedOthers.take() > 0) {
        throw error;
      }
      // A user token is the same for every plugin: another one may have cached the token, or the keys.
      const substitute = substituteRequest(presented.token);
      return Promise.any(
        [...services.plugins.all()].map(async other =>
          verifyCredential(substitute, other, presented, policy, services),
        ),
      ).catch(() => {
        throw error;
      });
    }
  }

  /** @throws Refusal 503 if other replicas, or OAuth clients, do not see a revocation yet */
  async #revokeAll(
    request: ExpressRequest,
    sessions: SessionClaims[],
  ): Promise<void> {
    const ended = (
      await Promise.all(sessions.map(each => this.#revoke(each, request)))
    ).flat();
    ended.forEach(({ revocation: { scope, sub }, isStored }) =>
      this.services.observer.signedOut(request.pluginId, {
        scope,
        userEntityRef: sub,
        isStored,
      }),
    );
    if (!ended.every(({ isStored }) => isStored)) {
      throw Refusal.signOutNotStored;
    }
    if (ended.some(each => each.offlineSessions === 'unreachable')) {
      throw Refusal.signOutIncomplete;
    }
  }

  async #revoke(
    session: SessionClaims,
    { policy }: ExpressRequest,
  ): Promise<Ended[]> {
    const { revocations, signOutUser } = this.services;
    const { scope, offlineSessions } = policy.config.signOut;
    // The token of a revoked session cannot end the user's other sessions.
    const isOfUser = scope === 'user' && !revocations.isRevoked(session);
    const revocation = revocationOfSession(session);
    // A session that was revoked before is revoked again, because the store may not have that revocation.
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
}
