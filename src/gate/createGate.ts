import type { RequestHandler, Response } from 'express';
import {
  clearCookie,
  restrictAnswer,
  sendAnswer,
  setAnswerHeaders,
  setRefusalHeaders,
} from './carryOut/answer';
import { conclude, decide } from './decide';
import { isCookie } from './Decision';
import type { GateServices } from './GateServices';
import { Judgement } from './judge/judge';
import { ExpressRequest } from './read/GateRequest';
import { Refusal, refuseUndecided } from './Refusal';
import type { UpgradeGate } from './upgrades/UpgradeGate';

/** The arguments for `next`; `undefined` if the gate has answered the request itself. */
type NextArguments = [error?: Error] | undefined;

/**
 * Makes the gate for requests: an Express handler for `/api/:gatedPluginId`, in front of the handlers of every plugin.
 *
 * A refusal goes to `next` as an error of `@backstage/errors`, with the headers of the answer set.
 */
export function createGate(
  services: GateServices,
  upgradeGate: Pick<UpgradeGate, 'guardServerOf'>,
): RequestHandler {
  return (req, res, next) => {
    const fail = (error: unknown): NextArguments => [
      failClosed(res, services, error),
    ];
    let ended: NextArguments | Promise<NextArguments>;
    try {
      const request = new ExpressRequest(req, res, services);
      const judgement = decide(request);
      ended =
        judgement instanceof Judgement
          ? carryOut(request, judgement)
          : judgement.then(each => carryOut(request, each)).catch(fail);
    } catch (error) {
      ended = fail(error);
    }
    const end = (args: NextArguments): void => {
      upgradeGate.guardServerOf(req, args?.length === 0);
      if (args) {
        next(...args);
      }
    };
    // `next` is called once in every case, without an error only if the decision is to pass, and outside of the `try`: an error
    // of a handler behind the gate is no refusal.
    if (ended && 'then' in ended) {
      // Upgrades may arrive at the server while the decision waits.
      upgradeGate.guardServerOf(req, false);
      ended.then(end);
    } else {
      end(ended);
    }
  };
}

/** Refuses a request about which the gate has failed to decide, in report-only too. Returns the error that answers it. */
function failClosed(
  res: Response,
  { logger }: GateServices,
  error: unknown,
): Error {
  const refusal = Refusal.because('failed');
  const id = refuseUndecided(refusal, logger, error);
  setRefusalHeaders(res, refusal, id);
  return refusal.error;
}

/** Carries out a judgement about a request in Express: forwards, answers or refuses it. */
function carryOut(
  request: ExpressRequest,
  judgement: Judgement,
): NextArguments {
  const { res, services } = request;
  const { answer, credential, refusal, resourceMetadata } = judgement;
  restrictAnswer(request, judgement);
  const goesOn = conclude(request, judgement);
  // The browser recovers if a cookie that can never succeed later is cleared.
  if (
    !goesOn &&
    refusal?.isFinal &&
    (isCookie(credential) || refusal.reason === 'conflicting-cookies')
  ) {
    clearCookie(request);
  }
  // A sign-out clears the cookie in report-only, too.
  setAnswerHeaders(request);
  if (!goesOn) {
    setRefusalHeaders(res, refusal!, request.decisionId, resourceMetadata);
    return [refusal!.error];
  }
  for (const end of judgement.socketEnds) {
    const release = services.sockets.track(request.req.socket, end);
    // A handler may take the socket from Express. If it answers instead, the connection goes on to other requests.
    res.once('finish', release);
  }
  if (answer) {
    sendAnswer(res, answer);
    return undefined;
  }
  return [];
}
