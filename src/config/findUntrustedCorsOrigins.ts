import type { Config } from '@backstage/config';

// Backstage matches each entry by `minimatch`.
const PATTERN = /[*?[\]{}()!+@|\\]/;

/**
 * Finds the entries of `backend.cors.origin` that are wider than the trusted origins: Backstage lets pages of these origins
 * read answers, and the gate refuses its cookie there.
 *
 * @returns the config path and the value of each
 */
export function findUntrustedCorsOrigins(
  rootConfig: Config,
  trustedOrigins: readonly string[],
): string[] {
  const path = 'backend.cors.origin';
  // Backstage stops the start at a value of another type.
  const cors: unknown = rootConfig.getOptional('backend.cors');
  const value = (cors as { origin?: unknown } | null | undefined)?.origin;
  const entries =
    typeof value === 'string' ? [[path, value]] : Object.entries(listOf(value));
  return entries.flatMap(([key, entry]) => {
    const isTrusted =
      typeof entry !== 'string' ||
      (!PATTERN.test(entry) && trustedOrigins.includes(entry.toLowerCase()));
    return isTrusted
      ? []
      : [`${key === path ? path : `${path}[${key}]`} (${entry})`];
  });
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
