import {
  AllowRule,
  ANY_SEGMENT,
  endOf,
  isSubtree,
  segmentsOf,
} from '../config/AllowRule';

/** The path of a rule, split once for many comparisons, and the time until which the rule opens it. */
export interface PathPattern {
  segments: string[];
  isSubtree: boolean;
  end: number;
}

export function patternOf(
  rule: Pick<AllowRule, 'path' | 'until'>,
): PathPattern {
  return {
    segments: segmentsOf(rule),
    isSubtree: isSubtree(rule),
    end: endOf(rule),
  };
}

/** Returns whether one pattern covers every path that another one covers. */
export function covers(wide: PathPattern, narrow: PathPattern): boolean {
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
 * Returns the time until which some patterns together cover every path that another one covers; `-Infinity` if they do not.
 *
 * @param patterns - of one plugin and method
 */
export function coveredUntil(
  patterns: readonly PathPattern[],
  pattern: PathPattern,
): number {
  let end = -Infinity;
  let isDeeper = false;
  for (const other of patterns) {
    isDeeper ||=
      other.isSubtree && other.segments.length > pattern.segments.length;
    if (other.end > end && covers(other, pattern)) {
      end = other.end;
    }
  }
  // `*` has infinitely many values, so that several patterns cover an exact path only if one of them does. A subtree is the same
  // as the segment below its path and the subtree below that segment, which different patterns may cover.
  if (!pattern.isSubtree || !isDeeper) {
    return end;
  }
  const segments = [...pattern.segments, ANY_SEGMENT];
  const endBelow = Math.min(
    coveredUntil(patterns, { ...pattern, segments, isSubtree: false }),
    coveredUntil(patterns, { ...pattern, segments }),
  );
  return Math.max(end, endBelow);
}
