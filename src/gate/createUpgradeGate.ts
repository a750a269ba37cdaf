import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { answerUpgrade } from '../http/answerUpgrade';
import type { MountedRequest } from '../http/upgradeTarget';
import { BackendPlugins } from '../credentials/BackendPlugins';
import type { Policy } from '../policy/Policy';
import { sessionClaimsOf } from '../credentials/assertNotRevoked';
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
import { toRefusal } from '../decision/toRefusal';

/** The services of the gate for upgrades. */
export interface UpgradeGateOptions extends UpgradeServices {
  plugins: BackendPlugins;
  /** Returns the current policy. */
  policy(): Policy;
  logger: LoggerService;
  sockets: SessionSockets;
}

/** An upgrade that goes on: `reason` is `undefined` for one that only report-only lets through. */
export interface AdmittedUpgrade {
  plugin: string;
  policy: Policy;
  reason: UpgradeReason | undefined;
}

/** Decides about upgrades at the server, and remembers for each request what it has decided. */
export interface UpgradeGate {
  /** Returns `undefined` for an upgrade that was refused: it has its answer, and its socket closes. Never rejects. */
  admit(
    req: IncomingMessage,
    socket: Duplex,
    target: MountedRequest,
  ): Promise<AdmittedUpgrade | undefined>;
  /** Returns what {@link UpgradeGate.admit} has returned for a request. */
  admitted(req: IncomingMessage): AdmittedUpgrade | undefined;
}

/** Makes the gate for upgrades, which go to the server's listeners for `upgrade` and not to Express. */
export function createUpgradeGate(options: UpgradeGateOptions): UpgradeGate {
  const { cookie, logger, observer, plugins, sockets } = options;
  const admissions = new WeakMap<IncomingMessage, AdmittedUpgrade>();

  function pass(
    request: UpgradeRequest,
    reason: UpgradeReason,
  ): AdmittedUpgrade {
    const { rule, judged } = reason;
    forward(request, cookie);
    record(
      request,
      rule
        ? { outcome: 'passed', reason: 'allow-rule', rule }
        : { outcome: 'passed', reason: judged.presented.kind },
    );
    const session = judged && sessionClaimsOf(judged.verified.userToken ?? {});
    if (session) {
      sockets.track(request.socket, session);
    }
    return admit(request, reason);
  }

  function refuse(
    request: UpgradeRequest,
    refusal: Refusal,
  ): AdmittedUpgrade | undefined {
    const { reason } = refusal;
    const { policy, socket } = request;
    if (policy.isEnforced) {
      record(request, { outcome: 'refused', reason }, refusal);
      answerUpgrade(socket, refusal.status, refusal.headers);
      return undefined;
    }
    record(request, { outcome: 'would-refuse', reason }, refusal);
    forward(request, cookie);
    sockets.track(socket, 'not-admitted');
    return admit(request, undefined);
  }

  function admit(
    { req, pluginId: plugin, policy }: UpgradeRequest,
    reason: UpgradeReason | undefined,
  ): AdmittedUpgrade {
    const admitted = { plugin, policy, reason };
    admissions.set(req, admitted);
    return admitted;
  }

  function record(
    request: UpgradeRequest,
    decided: Omit<Decision, 'plugin' | 'credential'>,
    refusal?: Refusal,
  ) {
    const { method, reportedPath: path } = request;
    observer.decided(
      { method, path },
      request.toDecision(decided),
      refusal?.error,
    );
  }

  /** Returns `undefined` for an upgrade that was refused. */
  async function judge(
    request: UpgradeRequest,
  ): Promise<AdmittedUpgrade | undefined> {
    try {
      return pass(request, await decideUpgrade(request, options));
    } catch (error) {
      return refuse(request, toRefusal(error, logger));
    }
  }

  return {
    admitted: req => admissions.get(req),
    async admit(req, socket, target) {
      admissions.delete(req);
      try {
        const policy = options.policy();
        return await judge(
          new UpgradeRequest(req, socket, target, policy, plugins),
        );
      } catch {
        // An upgrade goes on only if the decision is to pass.
        const { status, headers } = Refusal.failed;
        answerUpgrade(socket, status, headers);
        return undefined;
      }
    },
  };
}
