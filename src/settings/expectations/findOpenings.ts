import { omit } from 'lodash';
import { AllowRule, endOf, openedMethods } from '../../gate/rules/AllowRule';
import { AllowList } from '../../gate/rules/AllowList';

/** A path of one plugin that a list of rules opens, and another one does not, not as long, or with another requirement. */
export interface Opening extends Omit<AllowRule, 'reason'> {
  /** The methods, with `HEAD` if the rule has `GET`. */
  methods: string[];
  /** The first rule that opens the path. */
  rule: AllowRule;
  /** The time at which the other list closes the path; only if that list opens it now. */
  otherUntil?: number;
  /** What the other list requires to open the path; only if it has another requirement. */
  otherRequires?: string;
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
  const [own, all] = [rules, others].map(
    each => new AllowList(each.filter(rule => endOf(rule) > now)),
  );
  const found = new Map<string, Opening>();
  for (const requires of new Set(own.rules.map(rule => rule.requires))) {
    // Rules with another requirement may open nothing while the rules with this one do.
    const [list, other] = [own, all].map(
      each =>
        new AllowList(
          each.rules.filter(
            rule => !rule.requires || rule.requires === requires,
          ),
        ),
    );
    for (const rule of list.rules.filter(each => each.requires === requires)) {
      for (const method of new Set(openedMethods(rule))) {
        const otherUntil = other.coveredUntil(rule, method);
        if (endOf(rule) > otherUntil && !isRepeated(rule, method, list)) {
          const [same] = otherUntil > now ? [] : all.covering(rule, method);
          const opening: Opening = {
            ...omit(rule, 'reason'),
            methods: [],
            rule,
            ...(otherUntil > now && { otherUntil }),
            ...(same?.requires && { otherRequires: same.requires }),
          };
          const key = JSON.stringify({ ...opening, rule: requires });
          found.set(key, found.get(key) ?? opening);
          found.get(key)!.methods.push(method);
        }
      }
    }
  }
  return [...found.values()];
}

/** Whether another rule of a list opens the same paths as long: a wider one, or an equal one before it. */
function isRepeated(rule: AllowRule, method: string, list: AllowList): boolean {
  return list
    .covering(rule, method)
    .some(other => other !== rule && endOf(other) >= endOf(rule));
}
