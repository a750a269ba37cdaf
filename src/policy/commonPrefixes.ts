// The barrier tries one after the other with each request, which takes as long as all else that the gate does from a few dozen on.
const MAX_PATHS = 8;

/**
 * Paths that cover others as prefixes: those themselves, or of many as much of their beginnings as leaves a few.
 *
 * @param paths - below a plugin, each with a leading slash
 */
export function commonPrefixes(paths: readonly string[]): string[] {
  const depth = Math.max(0, ...paths.map(path => segmentsOf(path).length));
  for (let kept = depth; kept > 0; kept -= 1) {
    const covering = new Set(
      paths.map(path => `/${segmentsOf(path).slice(0, kept).join('/')}`),
    );
    if (covering.size <= MAX_PATHS) {
      return [...covering];
    }
  }
  return paths.length > 0 ? ['/'] : [];
}

function segmentsOf(path: string): string[] {
  return path.split('/').slice(1);
}
