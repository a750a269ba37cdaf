import type { Decision } from '../decision/Decision';
import {
  ReportedRequest,
  RequestGroups,
  SimilarRequests,
} from './RequestGroups';

/** The number of equal decisions since the start. */
export interface DecisionCount {
  plugin: string;
  outcome: Decision['outcome'];
  reason: Decision['reason'];
  count: number;
}

/** The number of similar requests that would have been refused, in report-only. */
export interface WouldRefuse extends SimilarRequests {
  count: number;
}

/** Counts decisions. The memory is bounded: all plugins that are not installed share one id, and paths of requests are capped. */
export class DecisionCounts {
  readonly #decisions = new Map<string, DecisionCount>();
  readonly #wouldRefuse = new RequestGroups<WouldRefuse>();

  describe() {
    return {
      decisions: [...this.#decisions.values()],
      wouldRefuse: this.#wouldRefuse.all,
      wouldRefuseUncounted: this.#wouldRefuse.uncounted,
    };
  }

  add(plugin: string, { outcome, reason }: Decision): void {
    const key = `${plugin} ${outcome} ${reason}`;
    const known = this.#decisions.get(key);
    if (known) {
      known.count += 1;
    } else {
      this.#decisions.set(key, { plugin, outcome, reason, count: 1 });
    }
  }

  /** Adds a request that would have been refused to those like it. */
  addRequest(request: ReportedRequest, { outcome }: Decision): void {
    if (outcome === 'would-refuse') {
      const group = this.#wouldRefuse.find(request, requests => ({
        ...requests,
        count: 0,
      }));
      if (group) {
        group.count += 1;
      }
    }
  }
}
