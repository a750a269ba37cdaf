import type {
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { isUndefined, map, omitBy } from 'lodash';
import type { BackendPlugins } from '../../gate/plugins/BackendPlugins';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest, GateObserver } from '../../gate/GateObserver';
import { readExternalTokens } from '../../settings/read/readExternalTokens';
import { watchAnswer } from './Answer';
import type { GateAudit } from './GateAudit';
import { annotateSpan, GateMetrics } from './GateMetrics';
import { RefusalCount, RefusalCounts, RefusalKind } from './RefusalCounts';
import { Refusals, ReportedRefusal } from './Refusals';
import { rulePathOf } from './rulePath';
import { Uses } from './Uses';

const SECOND_MS = 1_000;

/** Label for plugins that are not installed. Ids that clients make up would make the number of labels unbounded. */
export const NOT_INSTALLED = 'not installed';

/** Reports what the gate does to the log and to its own counts, and to the metrics and the audit where a backend has them. */
export class GateReport implements GateObserver {
  readonly refusals = new Refusals();
  readonly counts: RefusalCounts;
  readonly uses: Uses;
  /** When the last refusal of each kind was audited. In a flood, the audit has one a second, with the number of all. */
  readonly #auditedAt = new WeakMap<RefusalCount, number>();

  constructor(
    private readonly options: {
      config: RootConfigService;
      logger: LoggerService;
      plugins: Pick<BackendPlugins, 'isInstalled'>;
      audit?: GateAudit;
      metrics?: GateMetrics;
    },
  ) {
    const { config, logger } = options;
    this.counts = new RefusalCounts(logger);
    this.uses = new Uses(map(readExternalTokens(config), 'subject'));
  }

  decided(decided: DecidedRequest, decision: Decision, error?: Error): void {
    const { metrics } = this.options;
    const { credential, outcome, reason, rule } = decision;
    const plugin = this.#labelOf(decision.plugin);
    metrics?.decisions.add(1, { plugin, outcome, reason, credential });
    if (rule) {
      metrics?.rules.add(1, { rule: this.uses.ruleUsed(rule) });
    }
    annotateSpan(decision);
    if (!error) {
      return;
    }
    const refusal = this.refusals.add(plugin, decided, decision);
    const kind = kindOf(refusal, decided);
    if (outcome === 'would-refuse' && (decided.res || decided.socket)) {
      this.#watchAnswer(decided, refusal, kind);
    } else {
      this.#audit(refusal, this.counts.add(kind, refusal));
    }
  }

  refusedBehind: GateObserver['refusedBehind'] = (id, { reason }) => {
    const plugin = this.#labelOf(id.toLowerCase());
    const outcome = 'refused-behind';
    this.options.metrics?.decisions.add(1, { plugin, outcome, reason });
  };

  stop(): void {
    this.counts.stop();
  }

  externalTokenUsed: GateObserver['externalTokenUsed'] = subject => {
    const name = this.uses.tokenUsed(subject);
    this.options.metrics?.externalTokens.add(1, { subject: name });
  };

  cookieIssued(plugin: string, userEntityRef: string): void {
    this.options.audit?.cookieIssued(plugin, userEntityRef);
  }

  signedOut: GateObserver['signedOut'] = (plugin, ended) => {
    this.options.audit?.record(plugin, 'api-gate-sign-out', 'high', ended);
  };

  /** Counts a request that report-only has let pass, once it has its answer. */
  #watchAnswer(
    decided: DecidedRequest,
    refusal: ReportedRefusal,
    kind: RefusalKind,
  ): void {
    const { plugin, reason } = refusal;
    watchAnswer(decided, (answer, status) => {
      refusal.answer = answer;
      this.options.metrics?.wouldRefuse.add(1, { plugin, reason, answer });
      this.counts.add({ ...kind, answer }, { id: refusal.id, status });
    });
  }

  #audit(refusal: ReportedRefusal, count: RefusalCount): void {
    const { plugin, outcome, reason, method, detail } = refusal;
    const { id: decision, subject, address, userAgent } = refusal;
    const now = Date.now();
    const last = this.#auditedAt.get(count) ?? 0;
    // A clock that is set back silences nothing.
    if (outcome === 'refused' && Math.abs(now - last) >= SECOND_MS) {
      this.#auditedAt.set(count, now);
      const { requests } = count;
      const event = { plugin, reason, method, requests, decision };
      const others = { detail, subject, clientAddress: address, userAgent };
      const meta = omitBy({ ...event, ...others }, isUndefined) as JsonObject;
      this.options.audit?.refused(plugin, meta);
    }
  }

  #labelOf(plugin: string): string {
    return this.options.plugins.isInstalled(plugin) ? plugin : NOT_INSTALLED;
  }
}

/** Returns what is counted of a refusal. Of its subjects, those are that the limits of external tokens name. */
function kindOf(
  { plugin, outcome, method, reason, detail, subject }: ReportedRefusal,
  decided: DecidedRequest,
): RefusalKind {
  const isOfToken = reason === 'restricted' || reason === 'token-ended';
  return {
    ...{ plugin, outcome, method, reason, detail },
    path: rulePathOf(decided),
    subject: isOfToken ? subject : undefined,
  };
}
