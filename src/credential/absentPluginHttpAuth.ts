import { authServiceFactory } from '@backstage/backend-defaults/auth';
import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import {
  AuthService,
  createServiceFactory,
  createServiceRef,
  DatabaseService,
  DiscoveryService,
  HttpAuthService,
  PluginMetadataService,
  ServiceRef,
} from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';

// Enough for the optional plugins that clients probe for; more are made again when they are asked for.
const MAX_PLUGINS = 100;

const SERVABLE_PLUGIN_ID = /^[a-z0-9_-]+$/;

// No token is for this plugin: it stands in for what can't be a plugin's id.
const NO_PLUGIN = '-';

// Fields of a service factory that are not in its public type. This file alone relies on them.
const { deps: authDeps, factory: createAuth } =
  authServiceFactory as unknown as {
    deps: Record<string, ServiceRef<unknown>>;
    factory(
      deps: Record<string, unknown> & {
        plugin: PluginMetadataService;
        database: DatabaseService;
        discovery: DiscoveryService;
      },
    ): Promise<AuthService>;
  };

/** Makes the `httpAuth` of a plugin that is not installed in this backend. */
export type AbsentPluginHttpAuth = (
  pluginId: string,
) => Promise<HttpAuthService>;

/**
 * A service token is valid only for the plugin in its `aud`, and an external token's access restrictions are judged per
 * plugin: no enrolled plugin's services can judge a token that is meant for an absent one. This builds them as Backstage
 * builds an installed plugin's. They only verify: nothing is issued, and the database of the plugin that lends its
 * services is not touched.
 */
export const absentPluginHttpAuthServiceRef =
  createServiceRef<AbsentPluginHttpAuth>({
    id: 'auth.apiGate.absentPluginHttpAuth',
    scope: 'plugin',
    defaultFactory: async service =>
      createServiceFactory({
        service,
        deps: authDeps as typeof authServiceFactory & Record<string, never>,
        factory: deps => createAbsentPluginHttpAuth(deps as never),
      }),
  });

function createAbsentPluginHttpAuth(
  deps: Parameters<typeof createAuth>[0],
): AbsentPluginHttpAuth {
  const cache = new LRUCache<string, Promise<HttpAuthService>>({
    max: MAX_PLUGINS,
  });
  const create = async (pluginId: string) => {
    const auth = await createAuth({
      ...deps,
      plugin: { getId: () => pluginId },
      // The lending plugin's own `auth` has migrated these tables already.
      database: {
        getClient: () => deps.database.getClient(),
        migrations: { skip: true },
      },
    });
    const { discovery } = deps;
    return DefaultHttpAuthService.create({ auth, discovery, pluginId });
  };
  return requestedId => {
    const pluginId = SERVABLE_PLUGIN_ID.test(requestedId)
      ? requestedId
      : NO_PLUGIN;
    let httpAuth = cache.get(pluginId);
    if (!httpAuth) {
      httpAuth = create(pluginId);
      cache.set(pluginId, httpAuth);
      httpAuth.catch(() => cache.delete(pluginId));
    }
    return httpAuth;
  };
}
