import type { Decision } from '../decision/Decision';
import type { AnswerKind } from './Answer';

/** A request as it is counted and logged. */
export interface ReportedRequest {
  /** Id of an installed plugin, or the label for all others. */
  plugin: string;
  method: string;
  /** Below the plugin, without the query. */
  path: string;
}

/** Requests that an operator can treat alike. */
export interface SimilarRequests extends Omit<ReportedRequest, 'path'> {
  /** The first segment of the path below the plugin, or `…` if routes do not look like it. */
  segment: string;
}

const MAX_GROUPS = 500;

// Routes of plugins look like this. Other paths come from scanners, and are of no use to an operator.
const USUAL_SEGMENT = /^[A-Za-z0-9\-._~]{1,64}$/;

/** Groups similar requests. The number of groups is bounded, because clients choose the paths. */
export class RequestGroups<Group extends SimilarRequests> {
  readonly #groups = new Map<string, Group>();
  /** The number of requests beyond those in groups. */
  uncounted = 0;

  get all(): Group[] {
    return [...this.#groups.values()];
  }

  /**
   * Returns the group of a request; `undefined` if it would be one more than the limit.
   *
   * @param counts - what a new group has besides its requests
   * @param kind - keeps groups with other kinds apart
   */
  find(
    { plugin, method, path }: ReportedRequest,
    counts: Omit<Group, keyof SimilarRequests>,
    kind = '',
  ): Group | undefined {
    const first = path.split('/', 2)[1] ?? '';
    const segment = first === '' || USUAL_SEGMENT.test(first) ? first : '…';
    const key = `${plugin} ${method} ${segment} ${kind}`;
    let group = this.#groups.get(key);
    if (!group) {
      if (this.#groups.size >= MAX_GROUPS) {
        this.uncounted += 1;
        return undefined;
      }
      group = { plugin, method, segment, ...counts } as Group;
      this.#groups.set(key, group);
    }
    return group;
  }
}

/** The number of equal decisions since the start. */
interface DecisionCount extends Pick<
  Decision,
  'plugin' | 'outcome' | 'reason'
> {
  count: number;
}

/** The number of similar requests that would have been refused, in report-only. */
interface WouldRefuse extends SimilarRequests {
  count: number;
  /** The number of these requests by what came of them. A request without an answer has none yet. */
  answers: Partial<Record<AnswerKind, number>>;
}

/** Counts decisions. The memory is bounded: all plugins that are not installed share one id, and paths of requests are capped. */
export class DecisionCounts {
  readonly #decisions = new Map<string, DecisionCount>();
  readonly #wouldRefuse = new RequestGroups<WouldRefuse>();

  describe() {
    return {
      decisions: [...this.#decisions.values()],
      /** Requests that would have been refused, in report-only. */
      wouldRefuse: this.#wouldRefuse.all,
      /** The number of such requests beyond those in `wouldRefuse`. */
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

  /**
   * Adds a request that would have been refused to those like it.
   *
   * @returns a function that adds what came of it
   */
  addWouldRefuse(request: ReportedRequest): (kind: AnswerKind) => void {
    const group = this.#wouldRefuse.find(request, { count: 0, answers: {} });
    if (!group) {
      return () => {};
    }
    group.count += 1;
    return kind => {
      group.answers[kind] = (group.answers[kind] ?? 0) + 1;
    };
  }
}
