import { AllowRule, prefixOf } from '../config/AllowRule';

/** Finds the rule of the same plugin that has the longest beginning of a path, by whole segments; `undefined` without such a rule. */
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
