import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Request, RequestHandler, Response } from 'express';
import { assertNotRevoked } from '../credentials/assertNotRevoked';
import { presentsCredential } from '../credentials/presentsCredential';
import {
  PresentedToken,
  VerifiedCredential,
  verifyTimed,
} from '../credentials/verifyCredential';
import type { Decision, Decisions, Passed } from '../decision/Decision';
import type { GateObserver } from '../decision/GateObserver';
import { Refusal } from '../decision/Refusal';
import { toRefusal } from '../decision/toRefusal';
import { isCookieEndpoint } from '../http/backstagePaths';
import { WEBSOCKET } from '../http/requestMethod';
import type { Policy } from '../policy/Policy';
import type { SessionSockets } from '../revocation/SessionSockets';
import { isPromise, MaybePromise, then } from '../util/then';
import { decideUpgrade } from './authenticateUpgrade';
import { failClosed } from './failClosed';
import { chooseHeaders, forward, setIdentity } from './forward';
import { ExpressRequest } from './GateRequest';
import { answerKeys, answerSignOut, sendAnswer } from './ownAnswers';
import { presentedToken } from './presentedToken';
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

/** The arguments for `next`; `undefined` if it must not be called. */
type NextArguments = [error?: Error] | undefined;

/** The gate: it decides about requests in Express, and forwards or refuses them. */
class Gate {
  readonly #signOuts: SignOut;

  constructor(private readonly options: GateOptions) {
    this.#signOuts = new SignOut(options);
  }

  /** Returns the arguments for `next`; `undefined` if the gate has answered the request itself. */
  judge(req: Request, res: Response): MaybePromise<NextArguments> {
    const { logger, plugins } = this.options;
    const policy = this.options.policy();
    const request = new ExpressRequest(req, res, policy, plugins);
    const end = (decided: Passed | Refusal) =>
      decided instanceof Refusal
        ? this.#refuse(request, decided)
        : this.#pass(request, decided);
    const refuse = (error: unknown) => end(toRefusal(error, logger));
    let decided;
    try {
      decided = this.#decide(request);
    } catch (error) {
      return refuse(error);
    }
    return isPromise(decided) ? decided.then(end, refuse) : end(decided);
  }

  /**
   * Decides whether a request may pass. The decision about a cached token, and about a request without one, is no promise.
   *
   * @throws Refusal if not, or returns it, or a promise that rejects with it
   */
  #decide(request: ExpressRequest): MaybePromise<Passed | Refusal> {
    const { options } = this;
    const { cookie } = options;
    if (request.method === WEBSOCKET) {
      return this.#passUpgrade(request);
    }
    const { plugin, route } = request;
    if (route === 'sign-out') {
      return this.#signOut(request);
    }
    if (route !== 'protected') {
      return then(refuseRevokedSession(request, options), () => {
        if (route !== 'built-in-public') {
          // The browser sends the cookie with the requests of a public page, too.
          restrictUserResponse(request, 'none');
          request.isAnonymous = !presentsCredential(request.req, cookie);
          return { reason: 'allow-rule', rule: route };
        }
        // Behind a gateway, the gate of the backend that has `auth` needs the cookie: it recognises a sign-out.
        if (!request.isInstalled && plugin.id === 'auth') {
          request.forwarded.gateCookie = 'as received';
        }
        return then(answerKeys(request), answer => ({
          reason: 'built-in-public',
          answer,
        }));
      });
    }
    return then(plugin.started(), () => {
      const presented = presentedToken(request, cookie);
      if (presented instanceof Refusal) {
        return presented;
      }
      return then(
        verifyTimed(request.req, plugin, presented, request.policy, options),
        verified => this.#passVerified(request, presented, verified),
      );
    });
  }

  /** @throws Refusal if the session of the token was revoked */
  #passVerified(
    request: ExpressRequest,
    { kind }: PresentedToken,
    verified: VerifiedCredential,
  ): MaybePromise<Passed> {
    const { options } = this;
    assertNotRevoked(verified, options.revocations);
    if (isUser(verified.credentials)) {
      restrictUserResponse(request, kind);
    }
    chooseHeaders(request, verified, options);
    setIdentity(request.req, verified);
    const issued =
      kind === 'bearer' ? issueCookie(request, verified, options) : undefined;
    return then(issued, () => {
      const removed = isCookieEndpoint(request.path ?? '')
        ? removeRevokedUserCookie(request, options)
        : undefined;
      return then(removed, () => ({ reason: kind }));
    });
  }

  /** Decides about an upgrade that passes Express, because no listener at the server has taken it. */
  async #passUpgrade(request: ExpressRequest): Promise<Passed> {
    const { options } = this;
    const { req, res } = request;
    const { rule, judged, sessions } = await decideUpgrade(request, options);
    for (const session of sessions) {
      // A handler may take the socket from Express. If it answers instead, the connection goes on to other requests.
      res.once('finish', options.sockets.track(req.socket, session));
    }
    // A handler may answer as to any other request.
    if (rule || isUser(judged.verified.credentials)) {
      restrictUserResponse(request, judged?.presented.kind ?? 'none');
    }
    if (rule) {
      return { reason: 'allow-rule', rule };
    }
    setIdentity(req, judged.verified);
    return { reason: judged.presented.kind };
  }

  async #signOut(request: ExpressRequest): Promise<Passed> {
    const hasCredential = await this.#signOuts.end(request);
    const { plugins } = this.options;
    const answer = await answerSignOut(request, hasCredential, plugins);
    return { reason: 'sign-out', answer };
  }

  /** Forwards a request that passes, or answers it. */
  #pass(
    request: ExpressRequest,
    { answer, reason, rule }: Passed,
  ): NextArguments {
    forward(request, this.options.cookie);
    this.#record(request, { outcome: 'passed', reason, rule });
    return answer ? sendAnswer(request.res, answer) : [];
  }

  #record(
    request: ExpressRequest,
    decided: Pick<Decision, 'outcome' | 'reason' | 'rule'>,
    refusal?: Refusal,
  ) {
    const { decisions, observer } = this.options;
    const decision = request.toDecision(decided, refusal);
    decisions.set(request.req, decision);
    observer.decided(request, decision, refusal?.error);
  }

  /** Refuses a request. In report-only it goes on all the same. */
  #refuse(
    request: ExpressRequest,
    refusal: Refusal,
  ): MaybePromise<NextArguments> {
    const { options } = this;
    const { reason } = refusal;
    if (!request.policy.isEnforced) {
      this.#record(request, { outcome: 'would-refuse', reason }, refusal);
      forward(request, options.cookie);
      return [];
    }
    this.#record(request, { outcome: 'refused', reason }, refusal);
    const headersSet = setRefusalHeaders(request, refusal, options);
    return then(headersSet, () => [refusal.error]);
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
    const fail = (error: unknown): NextArguments => [
      failClosed(error, res, options.logger),
    ];
    let judged: MaybePromise<NextArguments>;
    try {
      judged = gate.judge(req, res);
    } catch (error) {
      judged = fail(error);
    }
    // `next` is called once in every case, without an error only if the decision is to pass, and outside of the `try`: an error
    // of a handler behind the gate is no refusal.
    then(
      isPromise(judged) ? judged.catch(fail) : judged,
      args => args && next(...args),
    );
  };
}
