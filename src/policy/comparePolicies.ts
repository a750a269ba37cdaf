import { AllowRule, endOf, openedMethods } from '../config/AllowRule';
import { coverageOf, coveredUntil, covers, RuleCoverage } from './RuleCoverage';

/** A path of one plugin that two lists of rules treat differently. */
export interface RouteChange extends Omit<AllowRule, 'reason'> {
  /** The methods, with `HEAD` if the rule has `GET`. */
  methods: string[];
  /** The first rule that opens the path, in the list that opens it alone or longer. */
  rule: AllowRule;
  /** The time at which the other list closes the path; only if that list opens it now. */
  otherUntil?: number;
}

export interface PolicyDifference {
  /** Paths that are newly public. */
  opened: RouteChange[];
  /** Paths that are no longer public. */
  closed: RouteChange[];
  /** Paths that both lists open now, and that the new one closes later or not at all. */
  longer: RouteChange[];
  /** Paths that both lists open now, and that the new one closes earlier. */
  shorter: RouteChange[];
}

/**
 * Compares the requests that two lists of rules open, now and until their ends. The order of rules, their reasons, repetitions,
 * rules that have ended, and rules that wider ones cover make no difference.
 */
export function comparePolicies(
  before: readonly AllowRule[],
  after: readonly AllowRule[],
  now = Date.now(),
): PolicyDifference {
  const old = openedBy(before, now);
  const current = openedBy(after, now);
  const [opened, longer] = beyond(current, old, now);
  const [closed, shorter] = beyond(old, current, now);
  return { opened, closed, longer, shorter };
}

/** The rules in force of one method and plugin. */
interface OpenPaths {
  method: string;
  rules: AllowRule[];
  coverages: RuleCoverage[];
}

function openedBy(
  rules: readonly AllowRule[],
  now: number,
): ReadonlyMap<string, OpenPaths> {
  const opened = new Map<string, OpenPaths>();
  for (const rule of rules.filter(each => endOf(each) > now)) {
    for (const method of new Set(openedMethods(rule))) {
      const key = `${method} ${rule.plugin}`;
      const paths = opened.get(key) ?? { method, rules: [], coverages: [] };
      paths.rules.push(rule);
      paths.coverages.push(coverageOf(rule));
      opened.set(key, paths);
    }
  }
  return opened;
}

/** Returns the paths that `opened` opens and `others` does not, and those that it opens longer. */
function beyond(
  opened: ReadonlyMap<string, OpenPaths>,
  others: ReadonlyMap<string, OpenPaths>,
  now: number,
): [alone: RouteChange[], longer: RouteChange[]] {
  const alone = new Map<string, RouteChange>();
  const longer = new Map<string, RouteChange>();
  for (const [key, { method, rules, coverages }] of opened) {
    const otherCoverages = others.get(key)?.coverages ?? [];
    rules.forEach((rule, i) => {
      const otherUntil = coveredUntil(otherCoverages, coverages[i]);
      if (endOf(rule) <= otherUntil || isRepeated(coverages, i)) {
        return;
      }
      const { reason, ...opening } = rule;
      const place = `${rule.plugin}${rule.path} ${rule.until} ${otherUntil}`;
      const changes = otherUntil > now ? longer : alone;
      const change = changes.get(place) ?? {
        ...opening,
        methods: [],
        rule,
        ...(otherUntil > now && { otherUntil }),
      };
      change.methods.push(method);
      changes.set(place, change);
    });
  }
  return [[...alone.values()], [...longer.values()]];
}

/** Whether another rule covers the same paths as long: a wider one, or an equal one before it. */
function isRepeated(
  coverages: readonly RuleCoverage[],
  index: number,
): boolean {
  const coverage = coverages[index];
  return coverages.some(
    (other, i) =>
      i !== index &&
      other.end >= coverage.end &&
      covers(other, coverage) &&
      (i < index || other.end > coverage.end || !covers(coverage, other)),
  );
}
