import {
  AllowRule,
  ANY_SEGMENT,
  endOf,
  isSubtree,
  segmentsOf,
} from '../config/AllowRule';

/** The path of a rule, split once for many comparisons, and the time until which the rule opens it. */
export interface RuleCoverage {
  segments: string[];
  isSubtree: boolean;
  end: number;
}

export function coverageOf(
  rule: Pick<AllowRule, 'path' | 'until'>,
): RuleCoverage {
  return {
    segments: segmentsOf(rule),
    isSubtree: isSubtree(rule),
    end: endOf(rule),
  };
}

/** Returns whether one rule covers every path that another one covers. */
export function covers(wide: RuleCoverage, narrow: RuleCoverage): boolean {
  const depth = wide.segments.length;
  const isLongEnough = wide.isSubtree
    ? depth === 0 || narrow.isSubtree || narrow.segments.length > depth
    : !narrow.isSubtree && narrow.segments.length === depth;
  return (
    isLongEnough &&
    wide.segments.every(
      (segment, i) =>
        segment === narrow.segments[i] ||
        (segment === ANY_SEGMENT && i < narrow.segments.length),
    )
  );
}

/**
 * Returns the time until which some rules together cover every path that another one covers; `-Infinity` if they do not.
 *
 * @param rules - of one plugin and method
 */
export function coveredUntil(
  rules: readonly RuleCoverage[],
  rule: RuleCoverage,
): number {
  let end = -Infinity;
  let isDeeper = false;
  for (const other of rules) {
    isDeeper ||=
      other.isSubtree && other.segments.length > rule.segments.length;
    if (other.end > end && covers(other, rule)) {
      end = other.end;
    }
  }
  // `*` has infinitely many values, so that several rules cover an exact path only if one of them does. A subtree is the same
  // as the segment below its path and the subtree below that segment, which different rules may cover.
  if (!rule.isSubtree || !isDeeper) {
    return end;
  }
  const segments = [...rule.segments, ANY_SEGMENT];
  const endBelow = Math.min(
    coveredUntil(rules, { ...rule, segments, isSubtree: false }),
    coveredUntil(rules, { ...rule, segments }),
  );
  return Math.max(end, endBelow);
}
