import type { Knex } from 'knex';
import type { UserTokenClaims } from '../../../src/__tests__/__testUtils__/signingKey';
import type { IdentityProvider } from './identityProvider';
import type { NginxPorts } from './nginx';
import type { BackendProcess } from '../../BackendProcess';

/** The gate's default, and the time that a replica may need beyond it. */
export const POLL_MS = 2_000;
export const WITHIN_MS = POLL_MS + 1_000;

/** The backends that the checks act on. */
export interface World {
  a: BackendProcess;
  b: BackendProcess;
  identityProvider: IdentityProvider;
  nginx: NginxPorts;
  /** Name of the database of the `auth` plugin, which has the revocations. */
  authDatabase: string;
  /** Opens the test's own connection to a database of the server. */
  connect(database: string): Knex;
  /** Signs a user token of this deployment that no `auth` plugin has issued. */
  sign(claims: Partial<UserTokenClaims> & { sub: string }): Promise<string>;
}
