import { omit } from 'lodash';
import { AllowRule, endOf, openedMethods } from '../../gate/rules/AllowRule';
import { AllowList } from '../../gate/rules/AllowList';
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
