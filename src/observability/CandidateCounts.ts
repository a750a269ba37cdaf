import type { AllowRule } from '../config/AllowRule';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import type { CandidateChange, Decision } from '../decision/Decision';
import type { PolicySource } from '../policy/PolicySource';
import { RequestGroups, SimilarRequests } from './RequestGroups';

/** The number of similar requests that the candidate would decide differently. */
export interface CandidateCount extends SimilarRequests {
  /** The config path of the rule: in force if the candidate would close the route, and the candidate's own if it would open it. */
  rule: string;
  requests: number;
  /** The number of these requests without a credential: the candidate decides about them alone. */
  withoutCredential: number;
}

/** The requests that `auth.apiGate.candidate` would decide differently. */
export type CandidateReport =
  | {
      /** The beginning of the counts: the start of this process, or the last change of the policy. */
      since: string;
      wouldClose: CandidateCount[];
      wouldOpen: CandidateCount[];
      /** The number of requests beyond those in the lists. */
      uncounted: number;
    }
  | {
      /** Why the candidate is not judged. */
      problem: string;
    };

const NONE = { requests: 0, withoutCredential: 0 };

interface Group extends Omit<CandidateCount, 'rule'>, CandidateChange {}

/** Counts the requests that a candidate would decide differently, from the last change of the policy on, at this replica. */
export class CandidateCounts {
  #groups = new RequestGroups<Group>();
  #since = new Date();

  constructor(private readonly source: PolicySource) {
    source.onReload(outcome => {
      if ('policy' in outcome) {
        this.#groups = new RequestGroups();
        this.#since = new Date();
      }
    });
  }

  /** @param plugin - id of an installed plugin, or the label for all others */
  add(
    plugin: string,
    { candidate, isAnonymous, reason }: Decision,
    request: { method: string; path: string },
  ): void {
    if (!candidate) {
      return;
    }
    const { change, rule } = candidate;
    const group = this.#groups.find(
      { plugin, ...request },
      requests => ({ ...requests, ...candidate, ...NONE }),
      `${change} ${rule.path}`,
    );
    if (group) {
      group.requests += 1;
      group.withoutCredential +=
        isAnonymous || reason === 'missing-credentials' ? 1 : 0;
    }
  }

  /** Returns `undefined` without a candidate. */
  describe(): CandidateReport | undefined {
    const { config } = this.source.current;
    if (!config.candidate || 'problem' in config.candidate) {
      return config.candidate;
    }
    const lists = {
      'would-close': { key: 'allow', rules: config.allow },
      'would-open': { key: 'candidate.allow', rules: config.candidate.allow },
    };
    const counts = (wanted: CandidateChange['change']): CandidateCount[] =>
      this.#groups.all
        .filter(({ change }) => change === wanted)
        .map(({ change, rule, ...count }) => ({
          rule: configPathOf(rule, lists[change]),
          ...count,
        }));
    return {
      since: this.#since.toISOString(),
      wouldClose: counts('would-close'),
      wouldOpen: counts('would-open'),
      uncounted: this.#groups.uncounted,
    };
  }
}

/** Formats a report as one line. */
export function formatCandidate(report: CandidateReport): string {
  if ('problem' in report) {
    return `not judged: ${report.problem}`;
  }
  const count = (groups: CandidateCount[]) =>
    groups.reduce((sum, { requests }) => sum + requests, 0);
  const { wouldClose, wouldOpen, since } = report;
  return `would close the routes of ${count(wouldClose)} requests and open those of ${count(wouldOpen)}, since ${since}`;
}

/** Returns the config path of a rule, or its route if a request was still decided by the policy before a reload. */
function configPathOf(
  rule: AllowRule,
  { key, rules }: { key: string; rules: ApiGateConfig['allow'] },
): string {
  const index = rules.indexOf(rule);
  return index === -1
    ? `/api/${rule.plugin}${rule.path}`
    : `${CONFIG_KEY}.${key}[${index}]`;
}
