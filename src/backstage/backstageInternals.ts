import { get } from 'lodash';

/** Loads a module, or throws as `require` does. */
export type LoadModule = (name: string) => unknown;

type Kind = 'function' | 'object' | 'string';

/** The releases that the gate was run on, see docs/releases.md. */
export const TESTED_RELEASES =
  'December 2025 (backend-defaults 0.14) to November 2026 (0.19)';

/**
 * The fields of Backstage's exports that the gate uses and no public type has: module, then path, then type. What the public types
 * have, the peer dependencies ask for.
 */
export const INTERNALS: Record<string, Record<string, Kind>> = {
  '@backstage/backend-defaults/auth': {
    'authServiceFactory.service.id': 'string',
    'authServiceFactory.deps': 'object',
    'authServiceFactory.factory': 'function',
    'authServiceFactory.deps.config': 'object',
    // The gate replaces both to verify tokens for a plugin that is not installed.
    'authServiceFactory.deps.database': 'object',
    'authServiceFactory.deps.plugin': 'object',
    'authServiceFactory.deps.discovery': 'object',
  },
  '@backstage/backend-defaults/httpRouter': {
    'httpRouterServiceFactory.service.id': 'string',
    'httpRouterServiceFactory.deps': 'object',
    'httpRouterServiceFactory.factory': 'function',
    'httpRouterServiceFactory.initialization': 'string',
  },
};

/**
 * Throws unless Backstage has all {@link INTERNALS}, so that a backend on a release that has changed them does not start at all.
 *
 * @throws Error of one line that names what is missing and the releases that have it
 */
export function assertBackstageIsKnown(load: LoadModule): void {
  const missing = Object.entries(INTERNALS).flatMap(([module, paths]) => {
    const exported = loadOrUndefined(load, module);
    return exported === undefined
      ? [module]
      : Object.entries(paths)
          // `null` is no object here.
          .filter(
            ([path, kind]) =>
              typeof (get(exported, path) ?? undefined) !== kind,
          )
          .map(([path]) => `${path} of ${module}`);
  });
  if (missing.length === 0) {
    return;
  }
  throw new Error(
    `API gate does not work with this release of Backstage (backend-defaults ${readBackstageVersion(load) ?? 'is not installed'}), which lacks ${missing.join(', ')}. It works with the releases of ${TESTED_RELEASES}. Update backstage-plugin-auth-backend-module-api-gate, or stay on one of these: its docs/releases.md lists them`,
  );
}

export function readBackstageVersion(load: LoadModule): string | undefined {
  const name = '@backstage/backend-defaults/package.json';
  const version: unknown = get(loadOrUndefined(load, name), 'version');
  return typeof version === 'string' ? version : undefined;
}

/** Returns `undefined` for a module that is not there, or that its package does not export. */
function loadOrUndefined(load: LoadModule, name: string): unknown {
  try {
    return load(name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (
      code === 'MODULE_NOT_FOUND' ||
      code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'
    ) {
      return undefined;
    }
    throw error;
  }
}
