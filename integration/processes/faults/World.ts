import type { JsonObject } from '@backstage/types';
import type { UserTokenClaims } from '../../../src/__tests__/__testUtils__/signingKey';
import type { BackendProcess } from '../../BackendProcess';

/** Options with which `backend.ts` is started. */
export interface BackendOptions {
  config: JsonObject;
  /** Default true. */
  withAuth?: boolean;
  /** Whether the issuer of the cookie never ends. */
  issuerHangs?: boolean;
  /** The file to which the backend writes the `X-Id` of each request that it accepts. */
  acceptedFile?: string;
}

/** Starts the backends that each check needs. */
export interface World {
  /** The folder for files that a check writes. */
  folder: string;
  createBackend(
    name: string,
    options?: Partial<BackendOptions>,
  ): Promise<BackendProcess>;
  /** Signs a user token as an `auth` plugin of this address would have issued it. */
  sign(
    claims: Partial<UserTokenClaims> & { sub: string; port: number },
  ): Promise<string>;
}
