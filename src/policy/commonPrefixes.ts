import { AllowRule, ANY_SEGMENT, segmentsOf } from '../config/AllowRule';

// The credentials barrier tries its prefixes in sequence for each request. With a few dozen, that takes as long as the rest of
// the gate's work.
const MAX_PATHS = 8;

/**
 * Returns at most MAX_PATHS prefixes that together cover all paths, as long as possible.
 *
 * @param paths - below a plugin, each with a leading slash
 */
export function commonPrefixes(paths: readonly string[]): string[] {
  const split = paths.map(path => path.split('/').slice(1));
  const depth = Math.max(0, ...split.map(({ length }) => length));
  for (let kept = depth; kept > 0; kept -= 1) {
    const covering = new Set(
      split.map(segments => `/${segments.slice(0, kept).join('/')}`),
    );
    if (covering.size <= MAX_PATHS) {
      return [...covering];
    }
  }
  return paths.length > 0 ? ['/'] : [];
}

/**
 * Returns the path of the policy that opens a plugin's credentials barrier for a rule. The policy is a prefix, and has a parameter
 * for each `*`.
 */
export function barrierPathOf(rule: AllowRule): string {
  return `/${segmentsOf(rule)
    .map((segment, i) => (segment === ANY_SEGMENT ? `:p${i}` : segment))
    .join('/')}`;
}

/**
 * Returns the paths of the policies that open a plugin's credentials barrier for the rules that name it.
 *
 * None for `app`: the root router serves it a second time, at `/`, where the gate is not in front of it.
 */
export function barrierPathsFor(
  pluginId: string,
  rules: readonly AllowRule[],
): string[] {
  const id = pluginId.toLowerCase();
  const own = rules.filter(({ plugin }) => plugin === id && id !== 'app');
  return commonPrefixes(own.map(barrierPathOf));
}
