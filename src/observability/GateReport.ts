import type { LoggerService } from '@backstage/backend-plugin-api';
import type { BackendPlugins } from '../credentials/BackendPlugins';
import type { Decision } from '../decision/Decision';
import type { DecidedRequest, GateObserver } from '../decision/GateObserver';
import { withoutQuery } from '../http/requestLine';
import type { Usage } from '../usage/Usage';
import { hideTokens } from '../util/hideTokens';
import { shorten } from '../util/logLine';
import { watchAnswer } from './Answer';
import type { DecisionCounts, ReportedRequest } from './DecisionCounts';
import { EventLimit } from './EventLimit';
import type { GateAudit } from './GateAudit';
import { annotateSpan, GateMetrics } from './GateMetrics';
import { callPathOf } from './proposeLimits';
import { recordablePathOf, recordableReasonOf } from './proposeRule';
import { clientOf, MAX_FIELD_BYTES, RecentRefusals } from './RecentRefusals';

/** Label for plugins that are not installed. Ids that clients make up would make the number of labels unbounded. */
export const NOT_INSTALLED = 'not installed';

/** A request that was refused, or would have been in report-only. */
interface RefusedRequest {
  decision: Decision;
  request: ReportedRequest;
  error: Error;
}

/** Reports what the gate does to the log, and to the counts, the metrics and the audit where a backend has them. */
export class GateReport implements GateObserver {
  readonly #refusals = new EventLimit<RefusedRequest>(
    (refused, omitted, ids) => this.#reportRefusal(refused, omitted, ids),
    (refusals, omittedDecisions) =>
      this.options.logger.info('API gate refused many requests', {
        refusals,
        omittedDecisions,
      }),
  );

  constructor(
    private readonly options: {
      logger: LoggerService;
      plugins: Pick<BackendPlugins, 'isInstalled'>;
      audit?: GateAudit;
      counts?: DecisionCounts;
      metrics?: GateMetrics;
      refusals?: RecentRefusals;
      usage?: Usage;
    },
  ) {}

  decided(decided: DecidedRequest, decision: Decision, error?: Error): void {
    const { counts, metrics, refusals, usage } = this.options;
    const { method } = decided;
    const { isAnonymous = false, outcome, reason, rule } = decision;
    const plugin = this.#labelOf(decision.plugin);
    metrics?.decided(plugin, decision);
    counts?.add(plugin, decision);
    if (rule) {
      usage?.ruleUsed(rule, method, isAnonymous);
    }
    annotateSpan(decision);
    if (!error) {
      return;
    }
    // A target such as `foo://any/api/x` has no path.
    const path = hideTokens(withoutQuery(decided.reportedPath ?? ''));
    const request = { plugin, method, path };
    if (outcome === 'would-refuse') {
      this.#countAnswer(decided, request, decision);
    }
    refusals?.add(request, decision);
    // Refusals with the same key share one line a second.
    const { detail = '', id = '' } = decision;
    const key = `${plugin} ${outcome} ${reason} ${detail}`.trim();
    this.#refusals.add(key, id, { decision, request, error });
  }

  /** Reports the refusals that wait for their second to end, and each later one at once. */
  stop(): void {
    this.#refusals.stop();
  }

  externalTokenUsed: GateObserver['externalTokenUsed'] = (subject, request) => {
    const { usage } = this.options;
    const { method, pluginId = '' } = request;
    const plugin = this.#labelOf(pluginId);
    usage?.tokenUsed(subject, plugin);
    usage?.tokenCalled({ subject, plugin, method, path: callPathOf(request) });
  };

  /** Records that a handler calls a plugin for an external token; with `isCopy`, by a copy of its credentials: see `watchDelegations`. */
  externalTokenDelegated(
    subject: string,
    plugin: string,
    isCopy: boolean,
  ): void {
    const label = this.#labelOf(plugin.toLowerCase());
    this.options.usage?.tokenUsed(
      subject,
      isCopy ? `${label} (copied credentials)` : label,
      'delegation',
    );
  }

  verified(seconds: number): void {
    this.options.metrics?.verified(seconds);
  }

  cookieIssued(plugin: string, userEntityRef: string): void {
    const { audit, metrics } = this.options;
    metrics?.cookieIssued();
    audit?.cookieIssued(plugin, userEntityRef);
  }

  cookieNotIssued: GateObserver['cookieNotIssued'] = reason => {
    this.options.metrics?.cookieNotIssued(reason);
  };

  signedOut: GateObserver['signedOut'] = (plugin, ended) => {
    this.options.audit?.record(plugin, 'api-gate-sign-out', 'high', ended);
  };

  /** Counts a request that report-only let pass, and what comes of it. */
  #countAnswer(
    decided: DecidedRequest,
    request: ReportedRequest,
    decision: Decision,
  ) {
    const { counts, metrics, usage } = this.options;
    const addAnswer = counts?.addWouldRefuse(request);
    if (!addAnswer) {
      return;
    }
    const { method, plugin } = request;
    const path = recordablePathOf(decided, decision);
    const presented = recordableReasonOf(decision);
    watchAnswer(decided, ({ kind, status }) => {
      addAnswer(kind);
      metrics?.answered(plugin, kind);
      if (kind === 'worked') {
        const answered = path && { path, status };
        usage?.worked({ plugin, method, ...answered, ...presented });
      }
    });
  }

  #labelOf(plugin: string): string {
    return this.options.plugins.isInstalled(plugin) ? plugin : NOT_INSTALLED;
  }

  /**
   * @param omitted - how many refusals with the same key were not reported before this one
   * @param omittedDecisions - their ids, without those that a line of their own has
   */
  #reportRefusal(
    { decision, request, error }: RefusedRequest,
    omitted: number,
    omittedDecisions: string[],
  ) {
    const { plugin, method, path } = request;
    const { outcome, reason, detail, id } = decision;
    const { audit, logger } = this.options;
    const identity = {
      ...(detail && { detail }),
      decision: id,
      ...clientOf(decision),
    };
    const meta = {
      plugin,
      reason,
      method,
      path: shorten(path, MAX_FIELD_BYTES),
      errorType: error.name,
      ...identity,
    };
    logger.info(
      outcome === 'would-refuse'
        ? 'API gate would have refused a request'
        : 'API gate refused a request',
      omitted > 0 ? { ...meta, omitted, omittedDecisions } : meta,
    );
    if (outcome === 'refused') {
      audit?.record(
        decision.plugin,
        'api-gate-denial',
        'medium',
        { plugin, reason, method, omitted, ...identity },
        error,
      );
    }
  }
}
