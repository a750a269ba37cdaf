import type { RequestHandler } from 'express';
import { Refusal, refuseUndecided, toRefusal } from '../decision/Refusal';
import {
  clearCookie,
  isCookie,
  sendAnswer,
  setAnswerHeaders,
  setRefusalHeaders,
} from './answer';
import { conclude, Passed, settle } from './decide';
import { decideAtOnce } from './decideAtOnce';
import { ExpressRequest } from './GateRequest';
import type { GateServices } from './GateServices';
import type { UpgradeGuard } from './UpgradeGuard';

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
): RequestHandler {
  return (req, res, next) => {
    const fail = (error: unknown): NextArguments => {
      const refusal = Refusal.because('failed');
      const id = refuseUndecided(refusal, services.logger, error);
      setRefusalHeaders(res, refusal, id);
      return [refusal.error];
    };
    let ended: NextArguments | Promise<NextArguments>;
    try {
      const request = new ExpressRequest(req, res, services);
      const decided = decideIfKnown(request);
      ended = decided
        ? carryOut(request, decided)
        : settle(request)
            .then(settled => carryOut(request, settled))
            .catch(fail);
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

function decideIfKnown(request: ExpressRequest): Passed | Refusal | undefined {
  try {
    return decideAtOnce(request);
  } catch (error) {
    return toRefusal(error, request.services.logger);
  }
}

/** Carries out a decision about a request in Express: forwards, answers or refuses it. */
function carryOut(
  request: ExpressRequest,
  decided: Passed | Refusal,
): NextArguments {
  const { req, res, services } = request;
  const goesOn = conclude(request, decided);
  if (decided instanceof Refusal) {
    if (goesOn) {
      // A sign-out clears the cookie in report-only, too.
      setAnswerHeaders(request);
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
  for (const session of decided.sessions ?? []) {
    const release = services.sockets.track(req.socket, session);
    // A handler may take the socket from Express. If it answers instead, the connection goes on to other requests.
    res.once('finish', release);
  }
  if (decided.answer) {
    sendAnswer(res, decided.answer);
    return undefined;
  }
  return [];
}
