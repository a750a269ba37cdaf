import { AllowRule, ANY_SEGMENT, segmentsOf } from '../config/AllowRule';

/**
 * Finds the rule of the same plugin that shares the most leading segments with a path; `undefined` if the plugin has no such
 * rule. A segment `*` shares every segment.
 */
export function findNearestRule(
  rules: readonly AllowRule[],
  plugin: string,
  path: string,
): AllowRule | undefined {
  const segments = path.split('/').filter(Boolean);
  const isShared = (segment: string, i: number) =>
    segment === segments[i] || (segment === ANY_SEGMENT && i < segments.length);
  let nearest: AllowRule | undefined;
  let mostShared = -1;
  for (const rule of rules.filter(each => each.plugin === plugin)) {
    const own = segmentsOf(rule);
    const end = own.findIndex((segment, i) => !isShared(segment, i));
    const shared = end === -1 ? own.length : end;
    if (shared > mostShared) {
      nearest = rule;
      mostShared = shared;
    }
  }
  return nearest;
}
