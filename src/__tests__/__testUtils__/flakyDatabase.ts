import { databaseServiceFactory } from '@backstage/backend-defaults/database';
import {
  coreServices,
  createServiceFactory,
  DatabaseService,
} from '@backstage/backend-plugin-api';

const GONE = 'the database is gone';

/**
 * Simulates a lost database, which SQLite in memory cannot have: queries of the gate's list of revoked sessions fail while `isGone`.
 *
 * @param options.isUnreachable - whether the `auth` plugin gets no database at all; each plugin has one of its own, and without it
 *   no plugin has keys
 */
export function flakyDatabase(options: { isUnreachable?: boolean } = {}) {
  const { deps, factory, createRootContext } = databaseServiceFactory as any;
  const state = {
    isGone: false,
    feature: createServiceFactory({
      service: coreServices.database,
      deps,
      createRootContext,
      factory: async (...args: any[]) => {
        const database: DatabaseService = await factory(...args);
        const isAuth = args[0].pluginMetadata.getId() === 'auth';
        return {
          ...database,
          getClient: async () => {
            if (options.isUnreachable && isAuth) {
              throw new Error(GONE);
            }
            return new Proxy(await database.getClient(), {
              apply(target, self, [table]) {
                if (state.isGone && table === 'api_gate_revocations') {
                  throw new Error(GONE);
                }
                return Reflect.apply(target, self, [table]);
              },
            });
          },
        };
      },
    } as never) as never,
  };
  return state;
}
