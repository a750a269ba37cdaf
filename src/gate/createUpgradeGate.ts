import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { answerUpgrade } from '../http/dispatchUpgrade';
import type { MountedRequest } from '../http/upgradeRequest';
import { BackendPlugins } from '../credentials/BackendPlugins';
import type { Policy } from '../policy/Policy';
import type { SessionSockets } from '../revocation/SessionSockets';
import type { Decision } from '../decision/Decision';
import {
  decideUpgrade,
  UpgradeServices,
  UpgradeReason,
} from './authenticateUpgrade';
import { forward } from './forward';
import { UpgradeRequest } from './GateRequest';
import { Refusal } from '../decision/Refusal';
import { refuseUndecided } from '../decision/refuseUndecided';
import { toRefusal } from '../decision/toRefusal';

/** The services of the gate for upgrades. */
export interface UpgradeGateOptions extends UpgradeServices {
  plugins: BackendPlugins;
  /** Returns the current policy. */
  policy(): Policy;
  /** Returns the client's address, as `backend.trustProxy` has it. */
  clientAddressOf(req: IncomingMessage): string | undefined;
  logger: LoggerService;
  sockets: SessionSockets;
}

/** An upgrade that goes on: `reason` is `undefined` for one that only report-only lets through. */
export interface AdmittedUpgrade {
  plugin: string;
  policy: Policy;
  reason: UpgradeReason | undefined;
}

/** Decides about upgrades at the server, and remembers its decision about each. */
export class UpgradeGate {
  readonly #admissions = new WeakMap<IncomingMessage, AdmittedUpgrade>();

  constructor(private readonly options: UpgradeGateOptions) {}

  /** Returns `undefined` for an upgrade that was refused: it has its answer, and its socket closes. Never rejects. */
  async admit(
    req: IncomingMessage,
    socket: Duplex,
    target: MountedRequest,
  ): Promise<AdmittedUpgrade | undefined> {
    this.#admissions.delete(req);
    try {
      const { options } = this;
      const policy = options.policy();
      return await this.#judge(
        new UpgradeRequest(req, socket, target, policy, options),
      );
    } catch (error) {
      // An upgrade goes on only if the decision is to pass.
      const refusal = Refusal.failed;
      const headers = refuseUndecided(refusal, this.options.logger, error);
      answerUpgrade(socket, refusal.status, headers);
      return undefined;
    }
  }

  /** Returns what {@link UpgradeGate.admit} has returned for a request. */
  admitted(req: IncomingMessage): AdmittedUpgrade | undefined {
    return this.#admissions.get(req);
  }

  #pass(request: UpgradeRequest, reason: UpgradeReason): AdmittedUpgrade {
    const { rule, judged, sessions } = reason;
    forward(request, this.options.cookie);
    this.#record(
      request,
      rule
        ? { outcome: 'passed', reason: 'allow-rule', rule }
        : { outcome: 'passed', reason: judged.presented.kind },
    );
    for (const session of sessions) {
      this.options.sockets.track(request.socket, session);
    }
    return this.#remember(request, reason);
  }

  #refuse(
    request: UpgradeRequest,
    refusal: Refusal,
  ): AdmittedUpgrade | undefined {
    const { reason } = refusal;
    const { policy, socket } = request;
    if (policy.isEnforced) {
      this.#record(request, { outcome: 'refused', reason }, refusal);
      const headers = refusal.headersFor(request.decisionId);
      answerUpgrade(socket, refusal.status, headers);
      return undefined;
    }
    this.#record(request, { outcome: 'would-refuse', reason }, refusal);
    forward(request, this.options.cookie);
    this.options.sockets.track(socket, 'not-admitted');
    return this.#remember(request, undefined);
  }

  #remember(
    { req, pluginId: plugin, policy }: UpgradeRequest,
    reason: UpgradeReason | undefined,
  ): AdmittedUpgrade {
    const admitted = { plugin, policy, reason };
    this.#admissions.set(req, admitted);
    return admitted;
  }

  #record(
    request: UpgradeRequest,
    decided: Pick<Decision, 'outcome' | 'reason' | 'rule'>,
    refusal?: Refusal,
  ) {
    this.options.observer.decided(
      request,
      request.toDecision(decided, refusal),
      refusal?.error,
    );
  }

  /** Returns `undefined` for an upgrade that was refused. */
  async #judge(request: UpgradeRequest): Promise<AdmittedUpgrade | undefined> {
    try {
      return this.#pass(request, await decideUpgrade(request, this.options));
    } catch (error) {
      return this.#refuse(request, toRefusal(error, this.options.logger));
    }
  }
}

/** Makes the gate for upgrades, which go to the server's listeners for `upgrade` and not to Express. */
export function createUpgradeGate(options: UpgradeGateOptions): UpgradeGate {
  return new UpgradeGate(options);
}
