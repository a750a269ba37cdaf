import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Request, RequestHandler, Response } from 'express';
import {
  assertNotRevoked,
  sessionClaimsOf,
} from '../credentials/assertNotRevoked';
import { assertToken } from '../credentials/assertToken';
import { presentsCredential } from '../credentials/presentsCredential';
import { readCredential } from '../credentials/readCredential';
import { PresentedToken, verifyTimed } from '../credentials/verifyCredential';
import { DECISION_HEADER } from '../decision/createDecisionId';
import type { Decision, Decisions, PassReason } from '../decision/Decision';
import type { GateObserver } from '../decision/GateObserver';
import { Refusal } from '../decision/Refusal';
import { refuseUndecided } from '../decision/refuseUndecided';
import { toRefusal } from '../decision/toRefusal';
import { isCookieEndpoint } from '../http/backstagePaths';
import { isCodeDestination } from '../http/isCodeDestination';
import { WEBSOCKET } from '../http/requestMethod';
import type { Policy } from '../policy/Policy';
import type { SessionSockets } from '../revocation/SessionSockets';
import { decideUpgrade } from './authenticateUpgrade';
import { acceptsUserCookie, isTrustedPath } from './cookiePaths';
import { chooseHeaders, forward, setIdentity } from './forward';
import { ExpressRequest } from './GateRequest';
import {
  refuseRevokedSession,
  removeRevokedUserCookie,
} from './revokedSessions';
import { setRefusalHeaders } from './setRefusalHeaders';
import { SignOut, SignOutOptions } from './SignOut';
import {
  CookieServices,
  issueCookie,
  isUser,
  restrictUserResponse,
} from './userResponse';

/** The services with which the gate decides. */
export interface GateOptions extends SignOutOptions, CookieServices {
  /** Returns the current policy. */
  policy(): Policy;
  decisions: Decisions;
  logger: LoggerService;
  observer: GateObserver;
  sockets: Pick<SessionSockets, 'track'>;
}

/** Why a request passes. */
interface Passed extends Pick<Decision, 'rule'> {
  reason: PassReason;
  /** Whether the gate answers the request itself, with 204, so that no handler gets it. */
  isAnswered?: boolean;
}

/** The gate: it decides about requests in Express, and forwards or refuses them. */
class Gate {
  readonly #signOuts: SignOut;

  constructor(private readonly options: GateOptions) {
    this.#signOuts = new SignOut(options);
  }

  /** Returns the arguments for `next`; `undefined` if the gate has answered the request itself. */
  async judge(
    req: Request,
    res: Response,
  ): Promise<[error?: Error] | undefined> {
    const { options } = this;
    const { cookie, logger, plugins } = options;
    const request = new ExpressRequest(req, res, options.policy(), plugins);
    let passed;
    try {
      passed = await this.#decide(request);
    } catch (error) {
      return [await this.#refuse(request, toRefusal(error, logger))];
    }
    const { isAnswered, ...decided } = passed;
    forward(request, cookie);
    this.#record(request, { outcome: 'passed', ...decided });
    if (isAnswered) {
      res.status(204).end();
      return undefined;
    }
    return [];
  }

  /**
   * Decides whether a request may pass.
   *
   * @throws Refusal if not
   */
  async #decide(request: ExpressRequest): Promise<Passed> {
    const { options } = this;
    if (request.method === WEBSOCKET) {
      return this.#passUpgrade(request);
    }
    const { plugin, route } = request;
    if (route === 'sign-out') {
      return this.#signOut(request);
    }
    if (route === 'built-in-public') {
      await refuseRevokedSession(request, options);
      // Behind a gateway, the gate of the backend that has `auth` needs the cookie: it recognises a sign-out.
      if (!request.isInstalled && plugin.id === 'auth') {
        request.forwarded.gateCookie = 'as received';
      }
      return { reason: 'built-in-public' };
    }
    if (route !== 'protected') {
      await refuseRevokedSession(request, options);
      // The browser sends the cookie with the requests of a public page, too.
      restrictUserResponse(request, false);
      request.isAnonymous = !presentsCredential(request.req, options.cookie);
      return { reason: 'allow-rule', rule: route };
    }

    const starting = plugin.started();
    if (starting) {
      await starting;
    }
    const presented = this.#presentedToken(request);
    const isCookie = presented.kind !== 'bearer';
    if (isCookie) {
      assertCookieMayBeUsed(request);
    }
    const verified = await verifyTimed(
      request.req,
      plugin,
      presented,
      request.policy,
      options,
    );
    assertNotRevoked(verified, options.revocations);
    if (isUser(verified.credentials)) {
      restrictUserResponse(request, isCookie);
    }
    if (!isCookie) {
      await issueCookie(request, verified, options);
    }
    chooseHeaders(request, verified, options);
    if (request.path !== undefined && isCookieEndpoint(request.path)) {
      await removeRevokedUserCookie(request, options);
    }
    setIdentity(request.req, verified);
    return { reason: presented.kind };
  }

  /** Decides about an upgrade that passes Express, because no listener at the server has taken it. */
  async #passUpgrade(request: ExpressRequest): Promise<Passed> {
    const { options } = this;
    const { rule, judged } = await decideUpgrade(request, options);
    if (rule) {
      await removeRevokedUserCookie(request, options);
      return { reason: 'allow-rule', rule };
    }
    const { req, res } = request;
    const session = sessionClaimsOf(judged.verified.userToken ?? {});
    if (session) {
      // A handler may take the socket from Express. If it answers instead, the connection goes on to other requests.
      res.once('finish', options.sockets.track(req.socket, session));
    }
    setIdentity(req, judged.verified);
    return { reason: judged.presented.kind };
  }

  async #signOut(request: ExpressRequest): Promise<Passed> {
    const { plugin, policy, isInstalled } = request;
    const hasCredential = await this.#signOuts.end(request);
    if (isInstalled) {
      return { reason: 'sign-out' };
    }
    if (hasCredential || !policy.isEnforced) {
      await plugin.started();
      return { reason: 'sign-out' };
    }
    // An installed plugin answers the same: without a credential, a caller cannot find out which plugins are installed.
    await this.options.plugins.clearUserCookie(request.res);
    return { reason: 'sign-out', isAnswered: true };
  }

  /** @throws Refusal unless the request presents exactly one token */
  #presentedToken(request: ExpressRequest): PresentedToken {
    const presented = assertToken(
      readCredential(request.req, {
        cookie: this.options.cookie,
        acceptsUserCookie: () => acceptsUserCookie(request),
      }),
    );
    request.credential = presented.kind;
    return presented;
  }

  #record(
    request: ExpressRequest,
    decided: Pick<Decision, 'outcome' | 'reason' | 'rule'>,
    refusal?: Refusal,
  ) {
    const { req, method, reportedPath: path } = request;
    const decision = request.toDecision(decided, refusal);
    this.options.decisions.set(req, decision);
    this.options.observer.decided({ method, path }, decision, refusal?.error);
  }

  /** Returns the error that answers the request; `undefined` in report-only, where the request goes on all the same. */
  async #refuse(
    request: ExpressRequest,
    refusal: Refusal,
  ): Promise<Error | undefined> {
    const { options } = this;
    const { reason } = refusal;
    if (!request.policy.isEnforced) {
      this.#record(request, { outcome: 'would-refuse', reason }, refusal);
      forward(request, options.cookie);
      return undefined;
    }
    this.#record(request, { outcome: 'refused', reason }, refusal);
    await setRefusalHeaders(request, refusal, options);
    return refusal.error;
  }
}

/**
 * Makes the gate: an Express handler for `/api/:gatedPluginId`, in front of the handlers of every plugin.
 *
 * A refusal goes to `next` as an error of `@backstage/errors`, with the headers of the answer set.
 */
export function createGate(options: GateOptions): RequestHandler {
  const gate = new Gate(options);
  return (req, res, next) => {
    gate
      .judge(req, res)
      // `next` is called once in every case, and without an error only if the decision is to pass.
      .catch((error): [Error] => [failClosed(error, res, options.logger)])
      .then(args => args && next(...args));
  };
}

/** Returns the answer to a request for which the gate itself has failed. */
function failClosed(error: unknown, res: Response, logger: LoggerService) {
  const refusal = Refusal.failed;
  const headers = refuseUndecided(refusal, logger, error);
  if (!res.headersSent) {
    res.setHeader(DECISION_HEADER, headers[DECISION_HEADER]);
  }
  return refusal.error;
}

/** @throws Refusal 403 if another site's page uses the cookie, or if the answer would run in the page that requested it */
function assertCookieMayBeUsed(request: ExpressRequest): void {
  const { req, policy } = request;
  if (policy.isCrossSite(req)) {
    throw Refusal.crossSite;
  }
  if (isCodeDestination(req) && !isTrustedPath(request)) {
    throw Refusal.unsafeDestination;
  }
}
