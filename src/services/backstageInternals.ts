/** Loads a module, or throws as `require` does. */
export type LoadModule = (name: string) => unknown;

type Kind = 'function' | 'object' | 'string';

/** The releases that the gate was run on, see docs/releases.md. */
export const TESTED_RELEASES =
  'October 2025 (backend-defaults 0.13) to November 2026 (0.19)';

const factoryFields = {
  'service.id': 'string',
  deps: 'object',
  factory: 'function',
} as const;

/**
 * The exports of Backstage, and the fields of these, without which the gate would not work: module, then path, then type. The
 * fields of factories are not part of their public types.
 */
export const INTERNALS: Record<string, Record<string, Kind>> = {
  '@backstage/backend-plugin-api': {
    createBackendFeatureLoader: 'function',
    createBackendModule: 'function',
    createExtensionPoint: 'function',
    createServiceFactory: 'function',
    createServiceRef: 'function',
    ...prefix('coreServices', {
      auditor: 'object',
      auth: 'object',
      database: 'object',
      discovery: 'object',
      httpAuth: 'object',
      httpRouter: 'object',
      lifecycle: 'object',
      logger: 'object',
      permissions: 'object',
      permissionsRegistry: 'object',
      pluginMetadata: 'object',
      rootConfig: 'object',
      rootHttpRouter: 'object',
      rootLifecycle: 'object',
      rootLogger: 'object',
      userInfo: 'object',
    }),
  },
  '@backstage/backend-defaults/auth': {
    pluginTokenHandlerDecoratorServiceRef: 'object',
    ...prefix('authServiceFactory', {
      ...factoryFields,
      'deps.config': 'object',
      // The gate replaces both to verify tokens for a plugin that is not installed.
      'deps.database': 'object',
      'deps.plugin': 'object',
      'deps.discovery': 'object',
    }),
  },
  '@backstage/backend-defaults/httpAuth': {
    'DefaultHttpAuthService.create': 'function',
  },
  '@backstage/backend-defaults/httpRouter': {
    createLifecycleMiddleware: 'function',
    ...prefix('httpRouterServiceFactory', {
      ...factoryFields,
      initialization: 'string',
    }),
  },
  '@backstage/backend-defaults/rootHttpRouter': {
    'MiddlewareFactory.create': 'function',
    'MiddlewareFactory.prototype.error': 'function',
    readHttpServerOptions: 'function',
  },
  '@backstage/plugin-auth-node': prefix('tokenTypes', {
    'user.typParam': 'string',
    'limitedUser.typParam': 'string',
    'plugin.typParam': 'string',
  }),
};

/** Exports that only some releases have. The gate looks whether they are there when it needs them. */
export const OPTIONAL_EXPORTS = ['createWebSocketRouter'];

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
          .filter(([path, kind]) => typeof valueAt(exported, path) !== kind)
          .map(([path]) => `${path} of ${module}`);
  });
  if (missing.length === 0) {
    return;
  }
  const version = loadOrUndefined(
    load,
    '@backstage/backend-defaults/package.json',
  );
  throw new Error(
    `API gate does not work with this release of Backstage (backend-defaults ${valueAt(version, 'version') ?? 'is not installed'}), which lacks ${missing.join(', ')}. It works with the releases of ${TESTED_RELEASES}. Update backstage-plugin-auth-backend-module-api-gate, or stay on one of these: its docs/releases.md lists them`,
  );
}

function prefix(name: string, fields: Record<string, Kind>) {
  return Object.fromEntries(
    Object.entries(fields).map(([field, kind]) => [`${name}.${field}`, kind]),
  );
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

function valueAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<any>((parent, name) => parent?.[name] ?? undefined, value);
}
