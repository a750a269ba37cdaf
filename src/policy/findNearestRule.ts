import { AllowRule, ANY_SEGMENT, segmentsOf } from '../config/AllowRule';

/**
 * Finds the rule of the same plugin that shares the most leading segments with a path, and of those the one that shares the most
 * as literal segments: `*` shares every segment. The result is `undefined` if the plugin has no rule.
 */
export function findNearestRule(
  rules: readonly AllowRule[],
  plugin: string,
  path: string,
): AllowRule | undefined {
  const segments = path.split('/').filter(Boolean);
  let nearest: AllowRule | undefined;
  let most: [all: number, literal: number] = [-1, -1];
  for (const rule of rules.filter(each => each.plugin === plugin)) {
    const shared = countShared(segmentsOf(rule), segments);
    if ((shared[0] - most[0] || shared[1] - most[1]) > 0) {
      nearest = rule;
      most = shared;
    }
  }
  return nearest;
}

/** Returns the number of leading segments that a rule shares with a path, and how many of them are literal. */
function countShared(
  own: readonly string[],
  segments: readonly string[],
): [all: number, literal: number] {
  let literal = 0;
  for (let i = 0; i < own.length; i += 1) {
    if (own[i] === segments[i]) {
      literal += 1;
    } else if (own[i] !== ANY_SEGMENT || i >= segments.length) {
      return [i, literal];
    }
  }
  return [own.length, literal];
}
