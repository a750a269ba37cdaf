import {
  coreServices,
  createBackendModule,
} from '@backstage/backend-plugin-api';
import { apiGateServiceRef } from '../../backstage/apiGateService';
import { DatabaseConnections } from '../../store/DatabaseConnections';

interface UsageRow {
  kind: string;
  name: string;
  day: number;
}

/** Reaches into a backend with the `auth` plugin for the record of use, so that tests need not wait for its timer. */
export function usageProbe() {
  const probe = {
    feature: createBackendModule({
      pluginId: 'auth',
      moduleId: 'usage-probe',
      register(reg) {
        reg.registerInit({
          deps: {
            gate: apiGateServiceRef,
            database: coreServices.database,
            logger: coreServices.logger,
          },
          async init({ gate, database, logger }) {
            const knex = await database.getClient();
            probe.sync = () => gate.usage.sync();
            probe.rows = () => knex('api_gate_usage').select('*');
            probe.hasTable = () => knex.schema.hasTable('api_gate_usage');
            probe.setLost = async isLost => {
              await knex.schema.dropTable('api_gate_usage');
              if (isLost) {
                await knex.schema.createTable('api_gate_usage', table =>
                  table.text('of_another_form'),
                );
              }
              await gate.usage.sync().catch(() => {});
            };
            probe.letPass = async days => {
              const rows = await probe.rows();
              for (let i = 1; i <= days; i += 1) {
                await knex('api_gate_usage').insert(
                  rows.map(row => ({ ...row, day: row.day - i, requests: 0 })),
                );
              }
              // Past days are read once a day, and when the record is followed.
              await gate.usage.follow(
                await DatabaseConnections.open(database, logger),
              );
            };
          },
        });
      },
    }),
    /** Writes and reads the record once. */
    sync: async () => {},
    rows: async (): Promise<UsageRow[]> => [],
    hasTable: async () => false,
    /** Replaces the table by one that the gate can't use, or removes that table. */
    setLost: async (_isLost: boolean) => {},
    /** Adds days before today on which the backend was up with all rules and tokens, and nobody used them. */
    letPass: async (_days: number) => {},
  };
  return probe;
}
