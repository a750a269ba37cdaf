import type {
  BackstagePrincipalTypes,
  DatabaseService,
  DiscoveryService,
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { AuthenticationError } from '@backstage/errors';
import { IdentityApi, tokenTypes } from '@backstage/plugin-auth-node';
import type { Request } from 'express';
import type { BackendPlugins } from '../../gate/plugins/BackendPlugins';
import { coversTechDocsPages } from '../../gate/plugins/DeclaredPolicies';
import { pluginIdOf } from '../../gate/read/mountedRequest';
import type { Token } from '../../gate/read/token';
import type { TokenVerifier } from '../../gate/verify/TokenCache';

/**
 * The services of a legacy backend that the gate uses. The environment of its `auth` plugin has all of them.
 *
 * @public
 */
export interface LegacyApiGateOptions {
  /** The configuration with `auth.apiGate`. The gate follows the changes of one that `loadBackendConfig` returned. */
  config: RootConfigService;
  discovery: DiscoveryService;
  logger: LoggerService;
  /** Verifies user tokens, such as `DefaultIdentityClient` of `@backstage/plugin-auth-node`. */
  identity: Pick<IdentityApi, 'getIdentity'>;
  /** Verifies service tokens, such as `ServerTokenManager` of `@backstage/backend-common`. */
  tokenManager: {
    /** Rejects unless the token is valid. */
    authenticate(token: string): Promise<void>;
  };
  /**
   * The database in which replicas share revoked sessions, in a table of its own. Default: none, so that a sign-out is in force
   * only in the process that answered it, until that process stops.
   */
  database?: Pick<DatabaseService, 'getClient'>;
}

/** Makes the plugins of a legacy backend. They start before the server does, and a token is valid for each of them or for none. */
export function createLegacyPlugins(
  options: LegacyApiGateOptions,
): BackendPlugins {
  const { discovery } = options;
  const verifier = createLegacyVerifier(options);
  const verifierFor = () => verifier;
  return {
    // The legacy system has no list of its plugins. A plugin that is not installed has no handler that a request could reach.
    isInstalled: () => true,
    targetOf(req) {
      const id = pluginIdOf(req);
      return {
        id,
        mountedAs: id,
        isRegistered: true,
        isUp: () => true,
        started: async () => {},
        // Plugins of this system have neither keys nor a cookie endpoint, and declare no policies.
        servedBy: undefined,
        publicKeys: () => undefined,
        acceptsUserCookie: path =>
          id === 'techdocs' && coversTechDocsPages(path),
        readsBoundTokens: false,
        verifierFor,
      };
    },
    haveUpgrades: false,
    userKeysPlugin: () => undefined,
    anyRegistered: () => ({ id: 'auth', discovery, verifierFor }),
    // The legacy system has no such cookie.
    clearUserCookie: async () => {},
    // If one plugin can't verify a token, none can.
    all: () => [],
  };
}

/**
 * Makes what verifies tokens from the clients of the legacy system. Backstage's own clients verify the signatures. The token decides
 * which of the two is called, as in `createLegacyAuthAdapters` of `@backstage/backend-common`.
 */
export function createLegacyVerifier({
  identity,
  tokenManager,
}: Pick<LegacyApiGateOptions, 'identity' | 'tokenManager'>): TokenVerifier {
  async function principalOf({
    claims,
    text,
    userToken,
  }: Token): Promise<BackstagePrincipalTypes['user' | 'service']> {
    if (claims?.typ === tokenTypes.limitedUser.typParam) {
      // Such a token is meant for cookies of the new backend system; the identity client does not look at the type.
      throw new AuthenticationError('Invalid user token');
    }
    if (claims && userToken === claims) {
      const user = await identity.getIdentity({
        request: { headers: { authorization: `Bearer ${text}` } } as Request,
      });
      if (!user) {
        throw new AuthenticationError('Invalid user token');
      }
      return { type: 'user', userEntityRef: user.identity.userEntityRef };
    }
    await tokenManager.authenticate(text);
    // These tokens name no service.
    return { type: 'service', subject: 'external:backstage-plugin' };
  }

  return {
    look: () => undefined,
    async find(token, options) {
      if (options?.allowLimitedAccess) {
        throw new AuthenticationError("The legacy system has no user's cookie");
      }
      const principal = await principalOf(token);
      return { $$type: '@backstage/BackstageCredentials', principal };
    },
  };
}
