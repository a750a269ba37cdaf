import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { Decision } from '../decision/Decision';
import type { RefusalReason } from '../decision/Refusal';
import type { Plugins } from '../plugins/Plugins';
import type { DecisionCounts } from './DecisionCounts';
import type { GateAudit } from './GateAudit';
import type { GateMetrics } from './GateMetrics';
import type { DecidedRequest, GateObserver } from '../decision/GateObserver';
import { EventLimit } from './EventLimit';
import { logRefusal, pathOf, refusalKey, RefusedRequest } from './logRefusal';

/** Stands for every plugin that is not installed: what a client makes up is not told. */
const NOT_INSTALLED = 'not installed';

/** Tells the log, the counts, the metrics and the audit what the gate does. */
export class GateReport implements GateObserver {
  readonly #refusals = new EventLimit<{
    refused: RefusedRequest;
    error: Error;
    auditor: AuditorService | undefined;
  }>((event, omitted) => {
    const { refused, error, auditor } = event;
    const { plugin, outcome, reason, method } = refused;
    logRefusal(this.options.logger, refused, omitted);
    if (auditor && outcome === 'refused') {
      this.options.audit.denied(
        auditor,
        { plugin, reason: reason as RefusalReason, method, omitted },
        error,
      );
    }
  });

  constructor(
    private readonly options: {
      audit: GateAudit;
      counts: DecisionCounts;
      logger: LoggerService;
      metrics: GateMetrics;
      plugins: Plugins;
    },
  ) {}

  decided(request: DecidedRequest, decision: Decision, error?: Error): void {
    const { counts, metrics, plugins } = this.options;
    const { outcome, reason } = decision;
    const plugin = plugins.isInstalled(decision.plugin)
      ? decision.plugin
      : NOT_INSTALLED;
    const { method } = request;
    const path = pathOf(request);
    metrics.decided(plugin, decision);
    counts.add(plugin, decision, { method, path });
    if (error) {
      const errorType = error.name;
      const refused = { plugin, outcome, reason, method, path, errorType };
      const auditor = this.#auditorOf(decision.plugin);
      this.#refusals.add(refusalKey(refused), { refused, error, auditor });
    }
  }

  /** Reports what is left, for the end of the process. */
  stop(): void {
    this.#refusals.flush();
  }

  verified(seconds: number): void {
    this.options.metrics.verified(seconds);
  }

  cookieIssued(plugin: string, userEntityRef: string): void {
    this.options.metrics.cookieIssued();
    const auditor = this.#auditorOf(plugin);
    if (auditor) {
      this.options.audit.cookieIssued(auditor, userEntityRef);
    }
  }

  cookieNotIssued: GateObserver['cookieNotIssued'] = reason => {
    this.options.metrics.cookieNotIssued(reason);
  };

  signedOut: GateObserver['signedOut'] = (plugin, ended) => {
    const auditor = this.#auditorOf(plugin);
    if (auditor) {
      this.options.audit.record(auditor, 'api-gate-sign-out', 'high', ended);
    }
  };

  /** The plugin's own, or any: what was decided about a plugin that is not installed has to be told by another. */
  #auditorOf(pluginId: string): AuditorService | undefined {
    return this.options.plugins.find(pluginId)?.auditor;
  }
}
