import { createRequire } from 'node:module';
import { get } from 'lodash';

/** Loads a module, or throws as `require` does. */
export type LoadModule = (name: string) => unknown;

const loadOfBackend: LoadModule = createRequire(__filename);

/** Fields of Backstage's exports: module, then path, then type. */
export type Fields = Record<
  string,
  Record<string, 'function' | 'object' | 'string'>
>;

/** The releases that the gate is tested on, see docs/releases.md. */
const TESTED_RELEASES =
  'December 2025 (backend-defaults 0.14) to November 2026 (0.19)';

/** The fields that the gate uses and another release of Backstage may lack. docs/releases.md has the same table. */
export const NEEDED_FIELDS: Fields = {
  '@backstage/backend-defaults/auth': {
    'authServiceFactory.service.id': 'string',
    'authServiceFactory.deps': 'object',
    'authServiceFactory.factory': 'function',
    'authServiceFactory.deps.config': 'object',
    // The gate replaces these three to verify tokens for a plugin that is not installed.
    'authServiceFactory.deps.database': 'object',
    'authServiceFactory.deps.plugin': 'object',
    'authServiceFactory.deps.discovery': 'object',
  },
  '@backstage/backend-defaults/httpAuth': {
    'DefaultHttpAuthService.create': 'function',
  },
  '@backstage/backend-defaults/httpRouter': {
    createLifecycleMiddleware: 'function',
    'httpRouterServiceFactory.service.id': 'string',
    'httpRouterServiceFactory.deps': 'object',
    'httpRouterServiceFactory.factory': 'function',
    'httpRouterServiceFactory.initialization': 'string',
  },
  '@backstage/backend-defaults/rootHttpRouter': {
    'MiddlewareFactory.create': 'function',
  },
};

/** A release without this field has no WebSocket handlers. Goes in October 2027: releases before November 2026 have none. */
const WEBSOCKET_HANDLERS: Fields = {
  '@backstage/backend-defaults/rootHttpRouter': {
    'DefaultRootHttpRouter.prototype.addWebSocketHandler': 'function',
  },
};

/** The fields that the gate uses beside {@link NEEDED_FIELDS} where Backstage has WebSocket handlers. */
export const NEEDED_FOR_WEBSOCKETS: Fields = {
  '@backstage/backend-defaults/httpRouter': {
    createWebSocketRouter: 'function',
  },
};

/**
 * Refuses a start on a release of Backstage that lacks a field that the gate uses.
 *
 * @throws Error as {@link lackOf} returns it
 */
export function assertRelease(load: LoadModule): void {
  const hasWebSockets = !findMissing(load, WEBSOCKET_HANDLERS).length;
  const missing = [
    ...findMissing(load, NEEDED_FIELDS),
    ...(hasWebSockets ? findMissing(load, NEEDED_FOR_WEBSOCKETS) : []),
  ];
  if (missing.length > 0) {
    throw lackOf(missing, load);
  }
}

/** Returns an error of one line that names what is missing, the releases that the gate is tested on, and what to do. */
export function lackOf(missing: string[], load = loadOfBackend): Error {
  const version = readBackstageVersion(load) ?? 'is not installed';
  return new Error(
    `API gate does not work with this release of Backstage or Node (backend-defaults ${version}, Node ${process.versions.node}), which lacks ${missing.join(', ')}. It works with the releases of ${TESTED_RELEASES}. Update backstage-plugin-auth-backend-module-api-gate, or stay on one of these: its docs/releases.md lists them`,
  );
}

function findMissing(load: LoadModule, fields: Fields): string[] {
  return Object.entries(fields).flatMap(([module, paths]) => {
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
}

export function readBackstageVersion(load = loadOfBackend): string | undefined {
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

// The package's entry point imports this module before all others, which use Backstage's exports as they load.
assertRelease(loadOfBackend);
