import type {
  BackstageCredentials,
  BackstagePrincipalTypes,
  DatabaseService,
  DiscoveryService,
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import { IdentityApi, tokenTypes } from '@backstage/plugin-auth-node';
import type { Request } from 'express';
import type {
  BackendPlugins,
  CredentialsReader,
} from '../../gate/plugins/BackendPlugins';
import { coversTechDocsPages } from '../../gate/plugins/DeclaredPolicies';
import { pluginIdOf } from '../../gate/read/mountedRequest';
import { substituteRequest } from '../../gate/read/readCredential';
import {
  decodeToken,
  effectiveUserToken,
  readBearer,
} from '../../gate/read/token';

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
  const httpAuth = createLegacyHttpAuth(options);
  const httpAuthFor = () => httpAuth;
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
        httpAuthFor,
      };
    },
    haveUpgrades: false,
    userKeysPlugin: () => undefined,
    anyRegistered: () => ({ id: 'auth', discovery, httpAuthFor }),
    // The legacy system has no such cookie.
    clearUserCookie: async () => {},
    // If one plugin can't verify a token, none can.
    all: () => [],
  };
}

/**
 * Makes an `httpAuth` for the gate from the clients of the legacy system. Backstage's own clients verify the signatures. The
 * token decides which of the two is called, as in `createLegacyAuthAdapters` of `@backstage/backend-common`.
 */
export function createLegacyHttpAuth({
  identity,
  tokenManager,
}: Pick<LegacyApiGateOptions, 'identity' | 'tokenManager'>): CredentialsReader {
  async function principalOf(
    token: string,
  ): Promise<BackstagePrincipalTypes['user' | 'service']> {
    const decoded = decodeToken(token);
    if (decoded?.typ === tokenTypes.limitedUser.typParam) {
      // Such a token is meant for cookies of the new backend system; the identity client does not look at the type.
      throw new AuthenticationError('Invalid user token');
    }
    if (decoded && effectiveUserToken(decoded) === decoded) {
      const user = await identity.getIdentity({
        request: substituteRequest(token),
      });
      if (!user) {
        throw new AuthenticationError('Invalid user token');
      }
      return { type: 'user', userEntityRef: user.identity.userEntityRef };
    }
    await tokenManager.authenticate(token);
    // These tokens name no service.
    return { type: 'service', subject: 'external:backstage-plugin' };
  }

  const credentials = async (
    req: Request,
    options?: { allow?: string[] },
  ): Promise<BackstageCredentials> => {
    const token = readBearer(req);
    if (!token) {
      throw new AuthenticationError('Missing credentials');
    }
    const principal = await principalOf(token);
    if (!options?.allow?.includes(principal.type)) {
      throw new NotAllowedError(`Not allowed for a ${principal.type}`);
    }
    return { $$type: '@backstage/BackstageCredentials', principal };
  };
  return { credentials: credentials as CredentialsReader['credentials'] };
}
