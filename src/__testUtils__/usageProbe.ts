import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { apiGateServiceRef } from '../services/apiGateService';

/** Reaches into a backend with the `auth` plugin for the record of use, so that tests need not wait for its timer. */
export function usageProbe() {
  const probe = {
    feature: createBackendModule({
      pluginId: 'auth',
      moduleId: 'usage-probe',
      register(reg) {
        reg.registerInit({
          deps: { gate: apiGateServiceRef, database: coreServices.database },
          async init({ gate, database }) {
            const knex = await database.getClient();
            probe.sync = () => gate.usage.sync();
            probe.rows = () => knex('api_gate_usage').select('*');
            probe.hasTable = () => knex.schema.hasTable('api_gate_usage');
            probe.letPass = async milliseconds => {
              await knex('api_gate_usage').update({
                observed: knex.raw('observed + ?', [milliseconds]),
              });
              await gate.usage.sync();
            };
          },
        });
      },
    }),
    /** Writes and reads the record once. */
    sync: async () => {},
    rows: async (): Promise<{ kind: string; name: string }[]> => [],
    hasTable: async () => false,
    /** Adds time in which the backend has observed all rules and tokens. */
    letPass: async (_milliseconds: number) => {},
  };
  return probe;
}
