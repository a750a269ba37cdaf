import { AllowRule, prefixOf } from '../config/AllowRule';

/**
 * Finds the rule of the same plugin that shares the most leading segments with a path; `undefined` if the plugin has no such
 * rule.
 */
export function findNearestRule(
  rules: readonly AllowRule[],
  plugin: string,
  path: string,
): AllowRule | undefined {
  const segments = path.split('/').filter(Boolean);
  const sharedBy = (rule: AllowRule) => {
    const own = prefixOf(rule).split('/').filter(Boolean);
    const end = own.findIndex((segment, i) => segment !== segments[i]);
    return end === -1 ? own.length : end;
  };
  let nearest: AllowRule | undefined;
  for (const rule of rules) {
    if (
      rule.plugin === plugin &&
      (!nearest || sharedBy(rule) > sharedBy(nearest))
    ) {
      nearest = rule;
    }
  }
  return nearest;
}
