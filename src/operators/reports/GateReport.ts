import type { LoggerService } from '@backstage/backend-plugin-api';
import type { BackendPlugins } from '../../gate/plugins/BackendPlugins';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest, GateObserver } from '../../gate/GateObserver';
import type { Usage } from '../../store/usage/Usage';
import { usedWorked } from '../../store/usage/Use';
import { watchAnswer } from './Answer';
import type { GateAudit } from './GateAudit';
import { annotateSpan, GateMetrics } from './GateMetrics';
import { callPathOf, recordableOf } from './proposeRule';
import { RefusalLog } from './RefusalLog';
import { Refusals, ReportedRefusal } from './Refusals';

/** Label for plugins that are not installed. Ids that clients make up would make the number of labels unbounded. */
export const NOT_INSTALLED = 'not installed';

/** Reports what the gate does to the log, and to the metrics, the audit and the record of use where a backend has them. */
export class GateReport implements GateObserver {
  readonly refusals = new Refusals();
  readonly #log: RefusalLog;

  constructor(
    private readonly options: {
      logger: LoggerService;
      plugins: Pick<BackendPlugins, 'isInstalled'>;
      audit?: GateAudit;
      metrics?: GateMetrics;
      usage?: Usage;
    },
  ) {
    this.#log = new RefusalLog(options);
  }

  decided(decided: DecidedRequest, decision: Decision, error?: Error): void {
    const { metrics, usage } = this.options;
    const { credential, isAnonymous = false, outcome, reason, rule } = decision;
    const plugin = this.#labelOf(decision.plugin);
    metrics?.decisions.add(1, { plugin, outcome, reason, credential });
    if (rule) {
      usage?.ruleUsed(rule, decided.method, isAnonymous);
    }
    annotateSpan(decision);
    if (!error) {
      return;
    }
    const refusal = this.refusals.add(plugin, decided, decision);
    if (usage && outcome === 'would-refuse') {
      this.#watchAnswer(decided, decision, refusal);
    }
    this.#log.add(refusal, error);
  }

  stop(): void {
    this.#log.stop();
  }

  externalTokenUsed: GateObserver['externalTokenUsed'] = (subject, request) => {
    const { usage } = this.options;
    const { method, pluginId = '' } = request;
    const plugin = this.#labelOf(pluginId);
    usage?.tokenUsed(subject, plugin);
    usage?.tokenCalled({ subject, plugin, method, path: callPathOf(request) });
  };

  /** Records that a handler calls a plugin for an external token; with `isCopy`, by a copy of its credentials: see `watchDelegations`. */
  externalTokenDelegated(subject: string, plugin: string, isCopy: boolean) {
    const label = this.#labelOf(plugin.toLowerCase());
    this.options.usage?.tokenUsed(
      subject,
      isCopy ? `${label} (copied credentials)` : label,
      'delegation',
    );
  }

  verified(seconds: number): void {
    this.options.metrics?.verification.record(seconds);
  }

  cookieIssued(plugin: string, userEntityRef: string): void {
    const { audit, metrics } = this.options;
    metrics?.cookies.add(1, { outcome: 'issued', reason: 'due' });
    audit?.cookieIssued(plugin, userEntityRef);
  }

  cookieNotIssued: GateObserver['cookieNotIssued'] = reason => {
    this.options.metrics?.cookies.add(1, { outcome: 'refused', reason });
  };

  signedOut: GateObserver['signedOut'] = (plugin, ended) => {
    this.options.audit?.record(plugin, 'api-gate-sign-out', 'high', ended);
  };

  #watchAnswer(
    decided: DecidedRequest,
    decision: Decision,
    refusal: ReportedRefusal,
  ): void {
    const { metrics, usage } = this.options;
    const { method, plugin } = refusal;
    const recorded = recordableOf(decided, decision);
    watchAnswer(decided, (kind, status) => {
      refusal.answer = kind;
      metrics?.wouldRefuse.add(1, { plugin, answer: kind });
      if (kind === 'worked') {
        const answered = recorded.path && { status };
        const worked = { plugin, method, ...recorded, ...answered };
        usage?.worked(worked);
        this.refusals.worked(usedWorked(worked), refusal);
      }
    });
  }

  #labelOf(plugin: string): string {
    return this.options.plugins.isInstalled(plugin) ? plugin : NOT_INSTALLED;
  }
}
