import { createRequire } from 'node:module';
import { get } from 'lodash';

/** Loads a module, or throws as `require` does. */
export type LoadModule = (name: string) => unknown;

const loadOfBackend: LoadModule = createRequire(__filename);

/** Fields of Backstage's exports: module, then path, then type. */
type Fields = Record<string, Record<string, 'function' | 'object' | 'string'>>;

export type FeatureId = keyof typeof RELEASE_FEATURES;

export interface ReleaseFeature {
  /** The fields that the feature uses. */
  fields?: Fields;
  /** The fields without which Backstage itself does not have what the feature is for. */
  onlyWith?: Fields;
  /** The hooks of Node that the feature needs. */
  hooks?: readonly string[];
  /** A clause: the gate's work that ends without the feature. */
  lost: string;
  /** The backend's behaviour without the feature. No row opens anything. */
  without: 'starts closed' | 'stops';
  /** A plugin beside which the backend stops as well. */
  stopsBeside?: string;
}

/** The releases that the gate was run on, see docs/releases.md. */
export const TESTED_RELEASES =
  'December 2025 (backend-defaults 0.14) to November 2026 (0.19)';

/** The parts of the gate that use what another release of Backstage or Node may lack. docs/releases.md has the same table. */
export const RELEASE_FEATURES = {
  'public-exports': {
    fields: {
      '@backstage/backend-defaults/auth': {
        'pluginTokenHandlerDecoratorServiceRef.id': 'string',
      },
      '@backstage/backend-defaults/httpAuth': {
        'DefaultHttpAuthService.create': 'function',
      },
      '@backstage/backend-defaults/httpRouter': {
        createLifecycleMiddleware: 'function',
      },
      '@backstage/backend-defaults/rootHttpRouter': {
        'MiddlewareFactory.create': 'function',
      },
    },
    lost: 'it can not verify tokens as Backstage does',
    without: 'stops',
  },
  'uninstalled-plugins': {
    fields: {
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
    },
    lost: 'it verifies only tokens of users for plugins that are not installed: there, it refuses a token of a service for that plugin with 404, without verifying it, so that anybody can find out which plugins are installed, and any other token with 401',
    without: 'starts closed',
    stopsBeside: 'gateway',
  },
  'plugin-routers': {
    fields: {
      '@backstage/backend-defaults/httpRouter': {
        'httpRouterServiceFactory.service.id': 'string',
        'httpRouterServiceFactory.deps': 'object',
        'httpRouterServiceFactory.factory': 'function',
        'httpRouterServiceFactory.initialization': 'string',
      },
    },
    lost: "the policy does not list what plugins open in code, and Backstage's own cookie opens only the files of TechDocs",
    without: 'starts closed',
  },
  'websocket-handlers': {
    fields: {
      '@backstage/backend-defaults/httpRouter': {
        createWebSocketRouter: 'function',
      },
    },
    onlyWith: {
      '@backstage/backend-defaults/rootHttpRouter': {
        'DefaultRootHttpRouter.prototype.addWebSocketHandler': 'function',
      },
    },
    lost: "WebSocket handlers at Backstage's router authenticate as they do without the gate, so that no rule opens them",
    without: 'starts closed',
  },
  'server-search': {
    hooks: [
      'process._getActiveHandles()',
      'the diagnostics channel net.server.socket',
    ],
    lost: 'it finds the servers of the backend by the events that they emit, for which it replaces emit of net.Server, http.Server and https.Server',
    without: 'starts closed',
  },
} satisfies Record<string, ReleaseFeature>;

/** A feature that the gate does without, and what it lacks for it. */
export interface MissingFeature {
  id: FeatureId;
  lost: string;
  missing: readonly string[];
}

/** Where {@link RELEASE_FEATURES} has hooks of Node that do not work. */
export const MISSING_SERVER_SEARCH: MissingFeature = {
  id: 'server-search',
  lost: RELEASE_FEATURES['server-search'].lost,
  missing: RELEASE_FEATURES['server-search'].hooks,
};

/** Returns the features whose fields this release of Backstage lacks. */
export function findMissingFeatures(load: LoadModule): MissingFeature[] {
  return Object.entries<ReleaseFeature>(RELEASE_FEATURES)
    .filter(([, { onlyWith }]) => !findMissingFields(load, onlyWith).length)
    .map(([id, { fields, lost }]) => {
      const missing = findMissingFields(load, fields);
      return { id: id as FeatureId, lost, missing };
    })
    .filter(({ missing }) => missing.length > 0);
}

/**
 * Refuses a start without a feature that the gate needs, or that it needs beside a plugin.
 *
 * @throws Error of one line that names what is missing, and the plugin
 */
export function assertNoneStops(
  missingFeatures: MissingFeature[],
  isInstalled: (pluginId: string) => boolean,
  load = loadOfBackend,
): void {
  for (const { id, missing } of missingFeatures) {
    const { stopsBeside, without }: ReleaseFeature = RELEASE_FEATURES[id];
    const isBeside = stopsBeside !== undefined && isInstalled(stopsBeside);
    if (without === 'stops' || isBeside) {
      const version = readBackstageVersion(load) ?? 'is not installed';
      const beside = isBeside ? ` beside the plugin ${stopsBeside}` : '';
      const remove = isBeside ? `remove the plugin ${stopsBeside}, or ` : '';
      throw new Error(
        `API gate does not work with this release of Backstage${beside} (backend-defaults ${version}), which lacks ${missing.join(', ')}. It works with the releases of ${TESTED_RELEASES}. Update backstage-plugin-auth-backend-module-api-gate, ${remove}stay on one of these: its docs/releases.md lists them`,
      );
    }
  }
}

function findMissingFields(load: LoadModule, fields: Fields = {}): string[] {
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

/** The features that this release of Backstage lacks. */
export const missingInBackstage = findMissingFeatures(loadOfBackend);
// The package's entry point imports this module before all others, which use Backstage's exports as they load.
assertNoneStops(missingInBackstage, () => false);

export function isMissing(feature: FeatureId): boolean {
  return missingInBackstage.some(({ id }) => id === feature);
}
