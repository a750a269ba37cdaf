import { createHash } from 'node:crypto';
import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import { CLOCK_SKEW_SECONDS, now, Revocation } from './Revocation';
import type { RevocationStore } from './RevocationStore';

const TABLE = 'api_gate_revocations';
const MIGRATIONS_TABLE = 'api_gate_knex_migrations';

// In code, not in files: the database that they are for is the `auth` plugin's, and its own migrations know nothing of them.
const MIGRATIONS: Record<string, Knex.Migration> = {
  '20261125_revocations': {
    async up(knex) {
      await knex.schema.createTable(TABLE, table => {
        table.comment('Sessions that the API gate refuses');
        table.string('id', 64).primary().comment('Hash of the other columns');
        table.string('scope', 16).notNullable().comment('session or user');
        table.text('sub').notNullable();
        table.bigInteger('iat').notNullable();
        table.bigInteger('exp').notNullable().index();
      });
    },
    async down(knex) {
      await knex.schema.dropTable(TABLE);
    },
  },
};

// A connection may go silent. Knex then gives it up, and the next query takes another.
const QUERY_TIMEOUT_MS = 5_000;

const MIGRATION_ATTEMPTS = 10;
const MIGRATION_RETRY_MS = 500;

interface Row extends Revocation {
  id: string;
}

/** Keeps revocations in a table of the `auth` plugin's database. */
export class DatabaseRevocationStore implements RevocationStore {
  private constructor(private readonly knex: Knex) {}

  /** Connects, and creates the table if need be. */
  static async create(
    database: Pick<DatabaseService, 'getClient' | 'migrations'>,
  ): Promise<DatabaseRevocationStore> {
    const knex = await database.getClient();
    if (!database.migrations?.skip) {
      await migrate(knex);
    }
    return new DatabaseRevocationStore(knex);
  }

  async load(): Promise<Revocation[]> {
    const rows = await this.knex<Row>(TABLE)
      .select('scope', 'sub', 'iat', 'exp')
      .where('exp', '>=', oldestLive())
      .timeout(QUERY_TIMEOUT_MS);
    // PostgreSQL's driver gives a bigint as text.
    return rows.map(({ scope, sub, iat, exp }) => ({
      scope,
      sub,
      iat: Number(iat),
      exp: Number(exp),
    }));
  }

  async add(revocation: Revocation): Promise<void> {
    const { scope, sub, iat, exp } = revocation;
    const id = createHash('sha256')
      .update(JSON.stringify([scope, sub, iat, exp]))
      .digest('hex');
    await this.knex<Row>(TABLE)
      .insert({ id, scope, sub, iat, exp })
      .onConflict('id')
      .ignore()
      .timeout(QUERY_TIMEOUT_MS);
  }

  /** Deletes what no valid token can match any more. */
  async removeExpired(): Promise<void> {
    await this.knex<Row>(TABLE).where('exp', '<', oldestLive()).delete();
  }
}

/** Replicas that start at once get into each other's way: knex does not wait for its own lock. */
async function migrate(knex: Knex): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await knex.migrate.latest({
        tableName: MIGRATIONS_TABLE,
        migrationSource: {
          getMigrations: async () => Object.keys(MIGRATIONS),
          getMigrationName: (name: string) => name,
          getMigration: async (name: string) => MIGRATIONS[name],
        },
      });
      return;
    } catch (error) {
      if (attempt === MIGRATION_ATTEMPTS) {
        throw error;
      }
      await new Promise(resolve => setTimeout(resolve, MIGRATION_RETRY_MS));
    }
  }
}

function oldestLive(): number {
  return now() - CLOCK_SKEW_SECONDS;
}
