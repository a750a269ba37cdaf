import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Refusal, refuseUndecided } from '../Refusal';
import { answerUpgrade } from './dispatchUpgrade';
import type { MountedRequest } from '../read/mountedRequest';
import { conclude, decide } from '../decide';
import type { Judgement } from '../judge/judge';
import { UpgradeRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';

/** An upgrade that goes on. One that is refused goes on in report-only alone. */
export interface AdmittedUpgrade {
  request: UpgradeRequest;
  judgement: Judgement;
}

/** The gate for upgrades at the server, which go to its listeners for `upgrade` and not to Express. */
export class UpgradeGate {
  readonly #admissions = new WeakMap<IncomingMessage, AdmittedUpgrade>();

  constructor(private readonly services: GateServices) {}

  /** Returns `undefined` for an upgrade that was refused: it has its answer, and its socket closes. Never rejects. */
  async admit(
    req: IncomingMessage,
    socket: Duplex,
    target: MountedRequest,
  ): Promise<AdmittedUpgrade | undefined> {
    const { services } = this;
    this.#admissions.delete(req);
    try {
      const request = new UpgradeRequest(req, socket, target, services);
      return this.#carryOut(request, await decide(request));
    } catch (error) {
      // An upgrade goes on only if the decision is to pass.
      const refusal = Refusal.because('failed');
      const id = refuseUndecided(refusal, services.logger, error);
      answerUpgrade(socket, refusal.status, refusal.headersFor(id));
      return undefined;
    }
  }

  /** Returns what {@link UpgradeGate.admit} has returned for a request. */
  admitted(req: IncomingMessage): AdmittedUpgrade | undefined {
    return this.#admissions.get(req);
  }

  /** Carries out a judgement about an upgrade at the server: keeps it, or answers it. */
  #carryOut(
    request: UpgradeRequest,
    judgement: Judgement,
  ): AdmittedUpgrade | undefined {
    const { req, socket } = request;
    if (!conclude(request, judgement)) {
      const refusal = judgement.refusal!;
      const headers = refusal.headersFor(request.decisionId);
      answerUpgrade(socket, refusal.status, headers);
      return undefined;
    }
    for (const session of judgement.sessions) {
      this.services.sockets.track(socket, session);
    }
    const admitted = { request, judgement };
    this.#admissions.set(req, admitted);
    return admitted;
  }
}
