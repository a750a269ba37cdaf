import { randomUUID } from 'node:crypto';
import { authServiceFactory } from '@backstage/backend-defaults/auth';
import {
  AuthService,
  createServiceFactory,
  createServiceRef,
  DatabaseService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { LRUCache } from 'lru-cache';
import { Refusal } from '../gate/Refusal';
import type { TokenVerifier } from '../gate/verify/TokenCache';
import { NewcomerLimit } from '../gate/verify/NewcomerLimit';
import type { UninstalledPluginAuth } from '../gate/plugins/BackendPlugins';
import { readEntries } from '../settings/read/readExternalTokens';
import { asObject } from '../settings/read/values';

// Each instance fetches keys of its own, for any id that a client has made up.
const NEW_PER_MINUTE = 60;

const SERVABLE_PLUGIN_ID = /^[a-z0-9_-]{1,200}$/i;

// It replaces a name that can't be a plugin id. No token is for this plugin, since nobody can know its name.
const NO_PLUGIN = randomUUID();

// A service factory has fields that its public type does not have. A release may lack them: see NEEDED_FIELDS.
const createAuthService = authServiceFactory as unknown as {
  deps: Record<string, never>;
  factory(deps: object): Promise<AuthService>;
};

/** The dependencies of that factory that the gate uses itself. */
interface AuthDeps {
  config: RootConfigService;
  database: DatabaseService;
}

/**
 * Provides {@link UninstalledPluginAuth}. A service token is valid only for the plugin in its `aud`, and an external token's
 * access restrictions are evaluated per plugin, so no registered plugin's services can verify a token for a plugin that is not
 * installed. This factory builds services as Backstage builds an installed plugin's. They only verify: they issue no token, and
 * do not write to the database of the plugin that lends its services.
 */
export const uninstalledPluginAuthServiceRef =
  createServiceRef<UninstalledPluginAuth>({
    id: 'auth.apiGate.uninstalledPluginAuth',
    scope: 'plugin',
    defaultFactory: async service =>
      createServiceFactory({
        service,
        deps: createAuthService.deps,
        factory: deps => createUninstalledPluginAuth(deps as never),
      }),
  });

function createUninstalledPluginAuth(deps: AuthDeps): UninstalledPluginAuth {
  // The number covers the optional plugins that clients probe for; others are created again when a request needs them.
  const cache = new LRUCache<string, Promise<TokenVerifier>>({ max: 100 });
  const create = async (pluginId: string): Promise<TokenVerifier> => {
    const auth = await createAuthService.factory({
      ...deps,
      plugin: { getId: () => pluginId },
      // The lending plugin's own `auth` has migrated these tables already.
      database: {
        getClient: () => deps.database.getClient(),
        migrations: { skip: true },
      },
    });
    return {
      look: () => undefined,
      find: ({ text }, options) => auth.authenticate(text, options),
    };
  };
  const limit = new NewcomerLimit(NEW_PER_MINUTE);
  // The plugins that external tokens are restricted to. All other plugins treat restricted tokens alike.
  const restrictedPlugins = new Set(
    readEntries(deps.config)
      .flatMap(({ accessRestrictions }) => accessRestrictions ?? [])
      .map(restriction => asObject(restriction).plugin),
  );
  return async (requestedId, token) => {
    const isConfigured = restrictedPlugins.has(requestedId);
    const dependsOnPlugin =
      token?.typ === tokenTypes.plugin.typParam
        ? token.aud === requestedId
        : isConfigured;
    const pluginId =
      dependsOnPlugin && SERVABLE_PLUGIN_ID.test(requestedId)
        ? requestedId
        : NO_PLUGIN;
    let verifier = cache.get(pluginId);
    if (!verifier) {
      const canBeMadeUp = pluginId !== NO_PLUGIN && !isConfigured;
      if (canBeMadeUp && !limit.admits(pluginId)) {
        throw Refusal.because('keys-unavailable');
      }
      verifier = create(pluginId);
      cache.set(pluginId, verifier);
      verifier.catch(() => cache.delete(pluginId));
    }
    return verifier;
  };
}
