import { partition } from 'lodash';
import { AllowRule, endOf, openedMethods } from '../../gate/rules/AllowRule';
import { AllowList } from '../../gate/rules/AllowList';

/** A path of one plugin that two lists of rules treat differently. */
export interface RouteChange extends Omit<AllowRule, 'reason'> {
  /** The methods, with `HEAD` if the rule has `GET`. */
  methods: string[];
  /** The first rule that opens the path, in the list that opens it alone or longer. */
  rule: AllowRule;
  /** The time at which the other list closes the path; only if that list opens it now. */
  otherUntil?: number;
}

/**
 * Compares the requests that two lists of rules open, now and until their ends. The order of rules, their reasons, repetitions,
 * rules that have ended, and rules that wider ones cover make no difference.
 */
export function comparePolicies(
  before: readonly AllowRule[],
  after: readonly AllowRule[],
  now = Date.now(),
) {
  const [old, current] = [before, after].map(
    rules => new AllowList(rules.filter(rule => endOf(rule) > now)),
  );
  const [opened, longer] = beyond(current, old, now);
  const [closed, shorter] = beyond(old, current, now);
  return {
    opened,
    closed,
    /** Paths that both lists open now, and that the new one closes later or not at all. */
    longer,
    /** Paths that both lists open now, and that the new one closes earlier. */
    shorter,
  };
}

/** Returns the paths that `list` opens and `other` does not, and those that it opens longer. */
function beyond(list: AllowList, other: AllowList, now: number) {
  const changes = new Map<string, RouteChange>();
  for (const rule of list.rules) {
    for (const method of new Set(openedMethods(rule))) {
      const otherUntil = other.coveredUntil(rule, method);
      if (endOf(rule) > otherUntil && !isRepeated(rule, method, list)) {
        const { reason, ...opening } = rule;
        const place = `${rule.plugin}${rule.path} ${rule.until} ${otherUntil}`;
        const change = changes.get(place) ?? {
          ...opening,
          methods: [],
          rule,
          ...(otherUntil > now && { otherUntil }),
        };
        change.methods.push(method);
        changes.set(place, change);
      }
    }
  }
  return partition(
    [...changes.values()],
    change => change.otherUntil === undefined,
  );
}

/** Whether another rule of a list opens the same paths as long: a wider one, or an equal one before it. */
function isRepeated(rule: AllowRule, method: string, list: AllowList): boolean {
  return list
    .covering(rule, method)
    .some(other => other !== rule && endOf(other) >= endOf(rule));
}
