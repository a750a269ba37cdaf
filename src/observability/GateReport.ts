import type {
  AuditorService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { Decision, RefusalReason } from '../gate/Decision';
import type { Plugins } from '../plugins/Plugins';
import type { DecisionCounts } from './DecisionCounts';
import type { GateAudit } from './GateAudit';
import type { GateMetrics } from './GateMetrics';
import type { DecidedRequest, GateObserver } from './GateObserver';
import { logRefusal, pathOf } from './logRefusal';

/** Stands for every plugin that is not installed: what a client makes up is not told. */
const NOT_INSTALLED = 'not installed';

/** Tells the log, the counts, the metrics and the audit what the gate does. */
export class GateReport implements GateObserver {
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
    const { audit, counts, logger, metrics, plugins } = this.options;
    const { outcome, reason } = decision;
    const plugin = plugins.isInstalled(decision.plugin)
      ? decision.plugin
      : NOT_INSTALLED;
    const { method } = request;
    const path = pathOf(request);
    metrics.decided(plugin, decision);
    counts.add(plugin, decision, { method, path });
    if (!error) {
      return;
    }
    const errorType = error.name;
    logRefusal(logger, { plugin, outcome, reason, method, path, errorType });
    if (outcome === 'would-refuse') {
      return;
    }
    const auditor = this.#auditorOf(decision.plugin);
    if (auditor) {
      audit.denied(
        auditor,
        { plugin, method, reason: reason as RefusalReason },
        error,
      );
    }
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
