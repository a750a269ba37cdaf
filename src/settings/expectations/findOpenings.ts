import { difference, omit, uniq } from 'lodash';
import {
  AllowRule,
  endOf,
  isSubtree,
  openedMethods,
  prefixOf,
} from '../../gate/rules/AllowRule';
import { AllowList } from '../../gate/rules/AllowList';
import { DenyRule, hasMethod } from '../../gate/rules/DenyList';
import { coveredUntil, findCovering } from './coverage';

/** A path of one plugin that a list of rules opens, and another one does not, or not as long. */
export interface Opening extends Omit<AllowRule, 'reason'> {
  /** The methods, with `HEAD` if the rule has `GET`. */
  methods: string[];
  /** The first rule that opens the path. */
  rule: AllowRule;
  /** The time at which the other list closes the path; only if that list opens it now. */
  otherUntil?: number;
}

/**
 * Finds what rules open beyond others. The order of rules, their reasons, repetitions, rules that have ended, and rules that wider ones
 * cover make no difference.
 */
export function findOpenings(
  rules: readonly AllowRule[],
  others: readonly AllowRule[],
  now = Date.now(),
): Opening[] {
  const [list, other] = [rules, others].map(
    each => new AllowList(each.filter(rule => endOf(rule) > now)),
  );
  const found = new Map<string, Opening>();
  for (const rule of list.rules) {
    for (const method of new Set(openedMethods(rule))) {
      const otherUntil = coveredUntil(other, rule, method);
      if (endOf(rule) > otherUntil && !isRepeated(rule, method, list)) {
        const opening: Opening = {
          ...omit(rule, 'reason'),
          methods: [],
          rule,
          ...(otherUntil > now && { otherUntil }),
        };
        const key = JSON.stringify({ ...opening, rule: undefined });
        found.set(key, found.get(key) ?? opening);
        found.get(key)!.methods.push(method);
      }
    }
  }
  return [...found.values()];
}

/** Whether another rule of a list opens the same paths as long: a wider one, or an equal one before it. */
function isRepeated(rule: AllowRule, method: string, list: AllowList): boolean {
  return findCovering(list, rule, method).some(
    other => other !== rule && endOf(other) >= endOf(rule),
  );
}

/** Returns allow rules, each without the methods for which deny rules cover all of its paths, until the allow rule ends. */
export function withoutDenied(
  allow: readonly AllowRule[],
  deny: readonly DenyRule[],
): AllowRule[] {
  const methods = uniq(allow.flatMap(rule => rule.methods));
  const denied = new AllowList(
    deny.flatMap(rule =>
      // `/**` of a deny rule covers the path before it, too.
      [rule.path, prefixOf(rule)].map(path => ({
        ...rule,
        path: path.toLowerCase(),
        methods: methods.filter(method => hasMethod(rule, method)),
      })),
    ),
  );
  const isOpened = (rule: AllowRule, method: string) => {
    const path = rule.path.toLowerCase();
    return coveredUntil(denied, { ...rule, path }, method) < endOf(rule);
  };
  return allow.map(rule => ({
    ...rule,
    methods: rule.methods.filter(method => isOpened(rule, method)),
  }));
}

/** Returns whether a deny rule refuses whatever another one refuses, to the same callers, and as long. */
export function includesDenial(rule: DenyRule, other: DenyRule): boolean {
  const [own, others] = [rule, other].map(each =>
    `${prefixOf(each)}/`.toLowerCase(),
  );
  return (
    rule.plugin === other.plugin &&
    (isSubtree(rule)
      ? others.startsWith(own)
      : !isSubtree(other) && others === own) &&
    endOf(rule) >= endOf(other) &&
    other.methods.every(method => hasMethod(rule, method)) &&
    difference(other.for, rule.for).length === 0 &&
    difference(rule.except, other.except).length === 0
  );
}
