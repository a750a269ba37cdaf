import { spreadOf } from '../statistics';

/**
 * Returns the growth over a series of values: the median of the slopes between all pairs (Theil and Sen), times the length. A
 * few values that stick out, such as those before a collection of compiled code, do not change it.
 */
export function growthOf(values: number[]): number {
  const slopes = values.flatMap((from, i) =>
    values.slice(i + 1).map((to, j) => (to - from) / (j + 1)),
  );
  return spreadOf(slopes).median * (values.length - 1);
}
