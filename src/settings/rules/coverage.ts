import {
  AllowRule,
  ANY_SEGMENT,
  endOf,
  isSubtree,
  PluginPath,
  prefixOf,
  segmentsOf,
} from '../../gate/rules/AllowRule';
import type { AllowList } from '../../gate/rules/AllowList';

/** Returns the rules of a list that each open every path that a rule opens for a method, whether or not they have ended. */
export function findCovering(
  list: AllowList,
  rule: PluginPath,
  method: string,
): AllowRule[] {
  const rules: AllowRule[] = [];
  list.find(rule.plugin, method, {
    segments: segmentsOf(rule),
    isSubtree: isSubtree(rule),
    accepts(found) {
      rules.push(found);
      // The search goes on to the next one.
      return false;
    },
  });
  return rules;
}

/**
 * Returns the time until which the rules of a list together open every path that a rule opens for a method; `-Infinity` if they do not.
 *
 * `*` has infinitely many values, so that several rules cover an exact path only if one of them does. A subtree is the same as
 * the segment below its path and the subtree below that segment, which different rules may cover.
 */
export function coveredUntil(
  list: AllowList,
  rule: PluginPath,
  method: string,
): number {
  const depth = list.depthOf(rule.plugin, method);
  if (!isSubtree(rule) || segmentsOf(rule).length >= depth) {
    return Math.max(...findCovering(list, rule, method).map(endOf));
  }
  const path = `${prefixOf(rule)}/${ANY_SEGMENT}`;
  return Math.min(
    coveredUntil(list, { ...rule, path }, method),
    coveredUntil(list, { ...rule, path: `${path}/**` }, method),
  );
}
