import { AllowRule, ANY_SEGMENT, segmentsOf } from '../../gate/rules/AllowRule';

// The credentials barrier tries its prefixes in sequence for each request. With a few dozen, that takes as long as the rest of
// the gate's work.
const MAX_PATHS = 8;

/** Returns at most MAX_PATHS prefixes that together cover all paths, as long as possible. Each path is a list of segments. */
function commonPrefixes(paths: readonly string[][]): string[] {
  const depth = Math.max(0, ...paths.map(({ length }) => length));
  for (let kept = depth; kept > 0; kept -= 1) {
    const covering = new Set(
      paths.map(segments => `/${segments.slice(0, kept).join('/')}`),
    );
    if (covering.size <= MAX_PATHS) {
      return [...covering];
    }
  }
  return paths.length > 0 ? ['/'] : [];
}

/**
 * Returns the paths of the policies that open a plugin's credentials barrier for the rules that name it. A policy is a prefix, and has
 * a parameter for each `*`.
 *
 * None for `app`: the root router serves it a second time, at `/`, where the gate is not in front of it.
 */
export function barrierPathsFor(
  pluginId: string,
  rules: readonly AllowRule[],
): string[] {
  const id = pluginId.toLowerCase();
  const own = rules.filter(({ plugin }) => plugin === id && id !== 'app');
  return commonPrefixes(
    own.map(rule =>
      segmentsOf(rule).map((segment, i) =>
        segment === ANY_SEGMENT ? `:p${i}` : segment,
      ),
    ),
  );
}
