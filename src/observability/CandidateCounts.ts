import { sumBy } from 'lodash';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import type { AllowRule } from '../config/AllowRule';
import type { Decision } from '../decision/Decision';
import type { DecidedRequest } from '../decision/GateObserver';
import { classifyRoute } from '../policy/classifyRoute';
import type { PolicySource } from '../policy/PolicySource';
import {
  ReportedRequest,
  RequestGroups,
  SimilarRequests,
} from './DecisionCounts';

/** The difference that the rules of `auth.apiGate.candidate` would make for a request without a credential. */
export interface CandidateChange {
  change: 'would-close' | 'would-open';
  /** The rule in force that the candidate lacks, or the candidate's own. */
  rule: AllowRule;
}

/** The number of similar requests that the candidate would decide differently. */
interface Group extends SimilarRequests, CandidateChange {
  requests: number;
  /** The number of these requests without a credential: the candidate decides about them alone. */
  withoutCredential: number;
}

/** The requests that `auth.apiGate.candidate` would decide differently, or why no request is compared with it. */
export type CandidateReport = NonNullable<
  ReturnType<CandidateCounts['describe']>
>;

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

  add(
    candidate: CandidateChange,
    { isAnonymous, reason }: Decision,
    request: ReportedRequest,
  ): void {
    const { change, rule } = candidate;
    const group = this.#groups.find(
      request,
      { ...candidate, requests: 0, withoutCredential: 0 },
      `${change} ${rule.path}`,
    );
    if (group) {
      group.requests += 1;
      group.withoutCredential +=
        isAnonymous || reason === 'missing-credentials' ? 1 : 0;
    }
  }

  /** Returns `undefined` without a candidate. */
  describe() {
    const { allow, candidate } = this.source.current.config;
    if (!candidate || 'problem' in candidate) {
      return candidate;
    }
    return {
      /** The beginning of the counts: the start of this process, or the last change of the policy. */
      since: this.#since.toISOString(),
      wouldClose: this.#counts('would-close', 'allow', allow),
      wouldOpen: this.#counts('would-open', 'candidate.allow', candidate.allow),
      /** The number of requests beyond those in the lists. */
      uncounted: this.#groups.uncounted,
    };
  }

  #counts(
    wanted: CandidateChange['change'],
    key: string,
    rules: ApiGateConfig['allow'],
  ) {
    return this.#groups.all
      .filter(({ change }) => change === wanted)
      .map(({ change, rule, ...count }) => {
        const index = rules.indexOf(rule);
        return {
          /**
           * The config path of the rule: in force if the candidate would close the route, and the candidate's own if it would open it.
           * A request may still have been decided by the policy before a reload.
           */
          rule:
            index === -1
              ? `/api/${rule.plugin}${rule.path}`
              : `${CONFIG_KEY}.${key}[${index}]`,
          ...count,
        };
      });
  }
}

/** Formats a report as one line. */
export function formatCandidate(report: CandidateReport): string {
  if ('problem' in report) {
    return `not judged: ${report.problem}`;
  }
  const { wouldClose, wouldOpen, since } = report;
  return `would close the routes of ${sumBy(wouldClose, 'requests')} requests and open those of ${sumBy(wouldOpen, 'requests')}, since ${since}`;
}

/**
 * Compares the route of a decided request with what it would be by the candidate.
 *
 * @returns `undefined` if the candidate treats the request as the rules in force do
 */
export function findCandidateChange(
  { isInstalled = false, method, path, policy, route }: DecidedRequest,
  plugin: string,
): CandidateChange | undefined {
  const allowList = policy?.candidate;
  if (!allowList || (typeof route !== 'object' && route !== 'protected')) {
    return undefined;
  }
  // Look for a rule first, which is cheap: most requests have none in either list.
  const rule =
    path === undefined ? undefined : allowList.match(plugin, method, path);
  if (typeof route === 'object') {
    return rule ? undefined : { change: 'would-close', rule: route };
  }
  const byCandidate = { allowList, config: policy.config };
  const wouldOpen =
    rule &&
    classifyRoute({ plugin, method, path, isInstalled }, byCandidate) === rule;
  return wouldOpen ? { change: 'would-open', rule } : undefined;
}
