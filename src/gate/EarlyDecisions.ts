import type { IncomingMessage } from 'node:http';
import type { RequestHandler } from 'express';
import { Refusal } from './Refusal';
import { carryOut, failClosed } from './createGate';
import { decide, decisionOf } from './decide';
import type { Judgement } from './judge/judge';
import { ExpressRequest } from './read/GateRequest';
import type { GateServices } from './GateServices';
import type { UpgradeGate } from './upgrades/UpgradeGate';

/** A decision about a request that no listener of the server has got yet. */
export interface EarlyDecision {
  request: ExpressRequest;
  judgement: Judgement;
  /** Whether the decision is carried out, and the request goes on. Otherwise the gate in Express carries it out and answers. */
  goesOn: boolean;
}

/**
 * Decides about requests before any listener of a server gets them, and keeps the decisions for the gate in Express. Without these,
 * that gate would read the `Authorization` that the cookie has become: it would issue a new cookie for it, and count the request twice.
 */
export class EarlyDecisions {
  readonly #byRequest = new WeakMap<
    IncomingMessage,
    EarlyDecision & { readings: string[] }
  >();

  constructor(
    private readonly services: GateServices,
    private readonly upgradeGate: Pick<UpgradeGate, 'guardServerOf'>,
  ) {}

  /**
   * Returns the decision about a request; `undefined` if there is none, or if a listener has changed what it depends on: the request
   * needs another decision then.
   */
  find(req: IncomingMessage): EarlyDecision | undefined {
    const early = this.#byRequest.get(req);
    return early?.readings.includes(readDecisive(req)) ? early : undefined;
  }

  /**
   * Decides about a request at a mount in Express. Calls `next` in every case, with an error if the request must be refused at once.
   * `res.locals.goesOn` has whether the request goes on to the listeners.
   */
  readonly decide: RequestHandler = async (req, res, next) => {
    const { services, upgradeGate } = this;
    let error: Error | undefined;
    try {
      const request = new ExpressRequest(req, res, services);
      const judgement = await decide(request);
      const isRefused = decisionOf(request, judgement).outcome === 'refused';
      const goesOn = !isRefused && !judgement.answer;
      res.locals.goesOn = goesOn;
      // In report-only, a preflight goes on undecided: the gate in Express records it, unless Backstage's CORS answers it before.
      const isPreflight =
        req.method === 'OPTIONS' &&
        judgement.refusal === Refusal.because('missing-credentials');
      if (!goesOn || !isPreflight) {
        if (goesOn) {
          carryOut(request, judgement);
          upgradeGate.guardServerOf(req, true);
        }
        // At a mount of Express, and outside of it.
        const { headers, method, originalUrl: url } = req;
        const readings = [req, { baseUrl: '', headers, method, url }].map(
          readDecisive,
        );
        this.#byRequest.set(req, { request, judgement, goesOn, readings });
      }
    } catch (thrown) {
      error = failClosed(res, services, thrown);
    }
    next(error);
  };
}

/** Returns what a decision depends on and a listener or handler may rewrite. */
function readDecisive({
  baseUrl = '',
  headers,
  method,
  url,
}: Pick<IncomingMessage, 'headers' | 'method' | 'url'> & {
  baseUrl?: string;
}): string {
  const { authorization, cookie } = headers;
  return JSON.stringify([method, baseUrl, url, authorization, cookie]);
}
