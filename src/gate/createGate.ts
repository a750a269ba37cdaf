import type { Request, RequestHandler, Response } from 'express';
import type { CredentialsReader } from './plugins/BackendPlugins';
import type { PresentedToken } from './read/readCredential';
import { Refusal, refuseUndecided, toRefusal } from './Refusal';
import { isCookieEndpoint } from './read/requestLine';
import {
  clearCookie,
  isCookie,
  sendAnswer,
  setAnswerHeaders,
  setRefusalHeaders,
} from './carryOut/answer';
import { accept, conclude, Passed, settle, socketSessionsOf } from './decide';
import type { EarlyDecisions } from './EarlyDecisions';
import { findForeignTokens } from './verify/foreignAuthorization';
import { ExpressRequest, readRequestToken } from './read/GateRequest';
import type { GateServices } from './GateServices';
import { findIssuer } from './cookie/issueCookie';
import { findMcpResource } from './carryOut/resourceMetadata';
import type { UpgradeGuard } from './upgrades/UpgradeGuard';
import {
  acceptsPrincipal,
  findKnownRefusal,
  findRefusal,
  isSubject,
  observeToken,
  VerifiedCredential,
} from './verify/verifyCredential';

/** The arguments for `next`; `undefined` if the gate has answered the request itself. */
type NextArguments = [error?: Error] | undefined;

/**
 * Makes the gate for requests: an Express handler for `/api/:gatedPluginId`, in front of the handlers of every plugin.
 *
 * A refusal goes to `next` as an error of `@backstage/errors`, with the headers of the answer set.
 */
export function createGate(
  services: GateServices,
  upgradeGuard: Pick<UpgradeGuard, 'decided'>,
  earlyDecisions?: Pick<EarlyDecisions, 'find'>,
): RequestHandler {
  return (req, res, next) => {
    const fail = (error: unknown): NextArguments => [
      failClosed(res, services, error),
    ];
    let ended: NextArguments | Promise<NextArguments>;
    try {
      const early = earlyDecisions?.find(req);
      const request = early?.request ?? new ExpressRequest(req, res, services);
      const decided = early?.decided ?? decideIfKnown(request);
      if (early?.goesOn) {
        // Once more, so that they are set before the handlers in front of this one set theirs.
        setAnswerHeaders(request);
        ended = [];
      } else {
        ended = decided
          ? carryOut(request, decided)
          : settle(request)
              .then(settled => carryOut(request, settled))
              .catch(fail);
      }
    } catch (error) {
      ended = fail(error);
    }
    const end = (args: NextArguments): void => {
      upgradeGuard.decided(req, args?.length === 0);
      if (args) {
        next(...args);
      }
    };
    // `next` is called once in every case, without an error only if the decision is to pass, and outside of the `try`: an error
    // of a handler behind the gate is no refusal.
    if (ended instanceof Promise) {
      // Upgrades may arrive at the server while the decision waits.
      upgradeGuard.decided(req, false);
      ended.then(end);
    } else {
      end(ended);
    }
  };
}

/** Refuses a request about which the gate has failed to decide. Returns the error that answers it. */
export function failClosed(
  res: Response,
  { logger }: GateServices,
  error: unknown,
): Error {
  const refusal = Refusal.because('failed');
  const id = refuseUndecided(refusal, logger, error);
  setRefusalHeaders(res, refusal, id);
  return refusal.error;
}

function decideIfKnown(request: ExpressRequest): Passed | Refusal | undefined {
  try {
    return decideAtOnce(request);
  } catch (error) {
    // In report-only the long way meets the error again, and looks up the tokens of the request.
    return request.policy.isEnforced
      ? toRefusal(error, request.services.logger)
      : undefined;
  }
}

/**
 * Decides without a promise about nearly all traffic: requests with a token that is remembered, and requests without a credential.
 * A promise takes longer than most checks. For these requests it decides as `decide` does; a property holds that.
 *
 * @returns `undefined` for any other request, and where something has to be waited for; nothing was recorded then
 */
export function decideAtOnce(
  request: ExpressRequest,
): Passed | Refusal | undefined {
  const { isUpgrade, path, places, plugin, route } = request;
  if (
    route !== 'protected' ||
    isUpgrade ||
    !plugin.isRegistered ||
    !plugin.isUp() ||
    (places.isBound && findForeignTokens(request).length > 0)
  ) {
    return undefined;
  }
  const presented = readRequestToken(request);
  if (presented instanceof Refusal) {
    // The answer to an MCP client says where to sign in, which discovery is asked for. Report-only looks up the tokens of the request.
    return findMcpResource(request) || !request.policy.isEnforced
      ? undefined
      : presented;
  }
  const startedAt = performance.now();
  // The `httpAuth` of a plugin that is not installed has to be made, and the cookie endpoint verifies Backstage's cookie.
  const verified =
    request.isInstalled && !isCookieEndpoint(path)
      ? recall(request, presented)
      : undefined;
  if (
    !verified ||
    findRefusal(verified, request) ||
    findIssuer(request, verified)
  ) {
    return undefined;
  }
  request.services.observer.verified((performance.now() - startedAt) / 1000);
  return accept(request, presented, verified);
}

/** Returns what `verifyCredential` resolves to, if the token is remembered and nothing has to be waited for. */
function recall(
  request: ExpressRequest,
  presented: PresentedToken,
): VerifiedCredential | undefined {
  const { plugin, policy, services } = request;
  const { keyEndpoints, ownIssuer, plugins, tokens } = services;
  const token = tokens.read(presented.token);
  const { claims, userToken } = token;
  if (
    // Backstage's own cookie gives limited access, which the credentials barrier asks for in its own way.
    presented.kind === 'user-cookie' ||
    findKnownRefusal(request, presented, token) ||
    !keyEndpoints.isCallerKnown(claims) ||
    (userToken && plugins.userKeysPlugin()?.isUp() === false) ||
    !ownIssuer.trustsAtOnce(userToken, policy)
  ) {
    return undefined;
  }
  const httpAuth = plugin.httpAuthFor(claims) as CredentialsReader;
  const credentials = httpAuth.recall?.(request.req as Request, token);
  if (
    !credentials ||
    !isSubject(credentials, token) ||
    !acceptsPrincipal(credentials, presented.kind)
  ) {
    return undefined;
  }
  observeToken(token, services);
  return { credentials, token };
}

/** Carries out a decision about a request in Express: forwards, answers or refuses it. */
export function carryOut(
  request: ExpressRequest,
  decided: Passed | Refusal,
): NextArguments {
  const { res } = request;
  const goesOn = conclude(request, decided);
  if (decided instanceof Refusal) {
    if (goesOn) {
      // A sign-out clears the cookie in report-only, too.
      setAnswerHeaders(request);
      trackSocket(request, decided);
      return [];
    }
    // The browser recovers if a cookie that can never succeed later is cleared.
    if (
      decided.isFinal &&
      (isCookie(request.credential) || decided.reason === 'conflicting-cookies')
    ) {
      clearCookie(request);
    }
    setAnswerHeaders(request);
    const { decisionId, resourceMetadata } = request;
    setRefusalHeaders(res, decided, decisionId, resourceMetadata);
    return [decided.error];
  }
  setAnswerHeaders(request);
  trackSocket(request, decided);
  if (decided.answer) {
    sendAnswer(res, decided.answer);
    return undefined;
  }
  return [];
}

/** Closes the socket of an upgrade once one of its sessions has ended. */
function trackSocket(request: ExpressRequest, decided: Passed | Refusal): void {
  const { req, res, services } = request;
  for (const session of socketSessionsOf(request, decided)) {
    const release = services.sockets.track(req.socket, session);
    // A handler may take the socket from Express. If it answers instead, the connection goes on to other requests.
    res.once('finish', release);
  }
}
