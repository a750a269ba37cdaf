import type { Knex } from 'knex';
import type { BackendProcess } from '../../BackendProcess';
import type { FaultyProxy } from '../../../src/__tests__/__testUtils__/FaultyProxy';

export interface World {
  /** Three replicas behind the proxy. */
  replicas: BackendProcess[];
  /** A backend without the gate behind the same proxy, with a database and a role of its own. */
  stock: BackendProcess;
  /** A further replica, behind PgBouncer in transaction mode. */
  pooled: BackendProcess;
  proxy: FaultyProxy;
  /** The test's own connection to the `auth` plugin's database, as its superuser and without the proxy. */
  database: Knex;
  /** Signs a user token of the replicas. */
  sign(sub: string): Promise<string>;
}

/** The role of the replicas, that of the backend without the gate, and that of the replica behind PgBouncer. */
export const ROLES = ['replicas', 'stock', 'pooled'] as const;

export const ROLE_CONNECTIONS = 40;
