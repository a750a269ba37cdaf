import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Refusal, refuseUndecided } from '../Refusal';
import { answerUpgrade } from './dispatchUpgrade';
import type { MountedRequest } from '../read/mountedRequest';
import { conclude, Passed, settle, socketSessionsOf } from '../decide';
import { UpgradeRequest } from '../read/GateRequest';
import type { GateServices } from '../GateServices';

/** An upgrade that goes on: `passed` is `undefined` for one that only report-only lets through. */
export interface AdmittedUpgrade {
  request: UpgradeRequest;
  passed: Passed | undefined;
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
      return this.#carryOut(request, await settle(request));
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

  /** Carries out a decision about an upgrade at the server: keeps it, or answers it. */
  #carryOut(
    request: UpgradeRequest,
    decided: Passed | Refusal,
  ): AdmittedUpgrade | undefined {
    const { req, socket } = request;
    const passed = decided instanceof Refusal ? undefined : decided;
    if (!conclude(request, decided)) {
      const refusal = decided as Refusal;
      answerUpgrade(
        socket,
        refusal.status,
        refusal.headersFor(request.decisionId),
      );
      return undefined;
    }
    for (const session of socketSessionsOf(request, decided)) {
      this.services.sockets.track(socket, session);
    }
    const admitted = { request, passed };
    this.#admissions.set(req, admitted);
    return admitted;
  }
}
