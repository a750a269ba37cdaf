import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { answerUpgrade } from '../http/answerUpgrade';
import { requestMethod, WEBSOCKET } from '../http/requestMethod';
import { pathBelowPlugin } from '../http/requestTarget';
import type { MountedRequest } from '../http/upgradeTarget';
import { BackendPlugins } from '../credentials/BackendPlugins';
import { pluginIdOf } from '../plugins/Plugins';
import type { Policy } from '../policy/Policy';
import { sessionClaimsOf } from '../credentials/assertNotRevoked';
import type { SessionSockets } from '../revocation/SessionSockets';
import type { Decision } from '../decision/Decision';
import {
  decideUpgrade,
  UpgradeServices,
  UpgradePassage,
  UpgradeReason,
} from './authenticateUpgrade';
import { Refusal } from '../decision/Refusal';
import { toRefusal } from '../decision/toRefusal';

/** What the gate decides about upgrades with. */
export interface UpgradeGateOptions extends UpgradeServices {
  plugins: BackendPlugins;
  /** The policy in force. */
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

/** One upgrade, and what was found out about it. */
interface Passage extends UpgradePassage {
  socket: Duplex;
  target: MountedRequest;
}

/** Makes the gate for upgrades, which go to the server's listeners for `upgrade` and not to Express. */
export function createUpgradeGate(options: UpgradeGateOptions): UpgradeGate {
  const { cookie, logger, observer, plugins, sockets } = options;
  const admissions = new WeakMap<IncomingMessage, AdmittedUpgrade>();

  async function decide(passage: Passage): Promise<UpgradeReason> {
    const { req, target } = passage;
    const plugin = plugins.targetOf(target);
    const path =
      requestMethod(req) === WEBSOCKET
        ? pathBelowPlugin(target, plugin.mountedAs)
        : undefined;
    return decideUpgrade(passage, plugin, path, options);
  }

  function pass(passage: Passage, reason: UpgradeReason): AdmittedUpgrade {
    const { rule, judged } = reason;
    record(
      passage,
      rule
        ? { outcome: 'passed', reason: 'allow-rule', rule }
        : { outcome: 'passed', reason: judged.presented.kind },
    );
    const session = judged && sessionClaimsOf(judged.verified.userToken ?? {});
    if (session) {
      sockets.track(passage.socket, session);
    }
    return admit(passage, reason);
  }

  function refuse(
    passage: Passage,
    refusal: Refusal,
  ): AdmittedUpgrade | undefined {
    const { reason } = refusal;
    if (passage.policy.isEnforced) {
      record(passage, { outcome: 'refused', reason }, refusal);
      answerUpgrade(passage.socket, refusal.status, refusal.headers);
      return undefined;
    }
    record(passage, { outcome: 'would-refuse', reason }, refusal);
    cookie?.removeFrom(passage.req);
    sockets.track(passage.socket, 'not-admitted');
    return admit(passage, undefined);
  }

  function admit(
    { policy, req, target }: Passage,
    reason: UpgradeReason | undefined,
  ): AdmittedUpgrade {
    const admitted = { plugin: pluginIdOf(target), policy, reason };
    admissions.set(req, admitted);
    return admitted;
  }

  function record(
    { credential, req, target }: Passage,
    decision: Omit<Decision, 'plugin' | 'credential'>,
    refusal?: Refusal,
  ) {
    observer.decided(
      { method: requestMethod(req), path: target.url },
      { ...decision, plugin: pluginIdOf(target), credential },
      refusal?.error,
    );
  }

  return {
    admitted: req => admissions.get(req),
    admit(req, socket, target) {
      admissions.delete(req);
      const policy = options.policy();
      const passage: Passage = {
        req,
        socket,
        target,
        policy,
        credential: 'none',
      };
      return (
        decide(passage)
          .then(reason => pass(passage, reason))
          .catch(error => refuse(passage, toRefusal(error, logger)))
          // Whatever happens, an upgrade goes on only where the decision is to pass.
          .catch(() => {
            answerUpgrade(
              socket,
              Refusal.failed.status,
              Refusal.failed.headers,
            );
            return undefined;
          })
      );
    },
  };
}
