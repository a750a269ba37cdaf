import type {
  BackstageCredentials,
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import { IdentityApi, tokenTypes } from '@backstage/plugin-auth-node';
import type { Request } from 'express';
import { substituteRequest } from '../../gate/read/readCredential';
import type { CredentialsReader } from '../../gate/plugins/BackendPlugins';
import {
  decodeToken,
  effectiveUserToken,
  readBearer,
} from '../../gate/read/token';

/**
 * The clients that verify tokens on the legacy system, as its plugins get them in their environment.
 *
 * @public
 */
export interface LegacyVerifiers {
  /** Verifies user tokens, such as `DefaultIdentityClient` of `@backstage/plugin-auth-node`. */
  identity: Pick<IdentityApi, 'getIdentity'>;
  /** Verifies service tokens, such as `ServerTokenManager` of `@backstage/backend-common`. */
  tokenManager: {
    /** Rejects unless the token is valid. */
    authenticate(token: string): Promise<void>;
  };
}

/**
 * Makes an `httpAuth` for the gate from the clients of the legacy system. Backstage's own clients verify the signatures. The
 * token decides which of the two is called, as in `createLegacyAuthAdapters` of `@backstage/backend-common`.
 */
export function createLegacyHttpAuth({
  identity,
  tokenManager,
}: LegacyVerifiers): CredentialsReader {
  async function principalOf(
    token: string,
  ): Promise<BackstageUserPrincipal | BackstageServicePrincipal> {
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
