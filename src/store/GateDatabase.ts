import type { DatabaseService } from '@backstage/backend-plugin-api';
import type { Knex } from 'knex';
import { withTimeout } from '../gate/util/time';

/** Limits that PostgreSQL keeps for each statement of the gate: a wait for a lock, a statement, and an idle transaction. */
const LIMITS_MS = {
  lock_timeout: 2_000,
  statement_timeout: 4_000,
  idle_in_transaction_session_timeout: 10_000,
};

// `begin` and the limits are one message, so that a transaction never waits for its next statement without a limit.
const BEGIN = `begin; ${Object.entries(LIMITS_MS)
  .map(([name, milliseconds]) => `set local ${name} = ${milliseconds}`)
  .join('; ')}`;

// PostgreSQL has ended a statement by then. Knex closes a connection without an answer, and may open another one.
const GIVE_UP_MS = 8_000;

// Further statements wait. With two, a busy process stores 100 sign-outs within three seconds, although it is late for each of the three answers
// that a statement takes. More of them cost sign-ins more where the database is slow, since each that is given up takes a connection along.
const MAX_CONNECTIONS = 2;

// A statement that has waited for others for so long fails: who asked for it has given up.
const QUEUE_MS = 6_000;

/**
 * The gate's access to the `auth` plugin's database. It uses a few of the plugin's connections, so that a locked table, or a database that is slow
 * or silent, costs Backstage no more than these. On PostgreSQL, the server ends what is not answered in time: a limit on
 * this side alone would leave each statement waiting at the server.
 */
export class GateDatabase {
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  private constructor(
    /** Builds statements, which {@link run} runs. */
    readonly knex: Knex,
    readonly skipMigrations: boolean,
  ) {}

  static async open(
    database: Pick<DatabaseService, 'getClient' | 'migrations'>,
  ): Promise<GateDatabase> {
    const skip = database.migrations?.skip ?? false;
    return new GateDatabase(await database.getClient(), skip);
  }

  /** Runs a statement, after those that were asked for before. */
  async run<T>(
    statement: (knex: Knex) => Timed<T>,
    options?: {
      /** Runs it before those that wait. */
      first?: boolean;
    },
  ): Promise<T> {
    const askedAt = performance.now();
    if (this.#running < MAX_CONNECTIONS) {
      this.#running += 1;
    } else {
      await new Promise<void>(resolve =>
        options?.first
          ? this.#waiting.unshift(resolve)
          : this.#waiting.push(resolve),
      );
    }
    try {
      if (performance.now() - askedAt > QUEUE_MS) {
        throw new Error('The database has not answered other statements');
      }
      return await this.#runNow(statement);
    } finally {
      // A statement that waits takes the place of this one.
      const next = this.#waiting.shift();
      if (next) {
        next();
      } else {
        this.#running -= 1;
      }
    }
  }

  async #runNow<T>(statement: (knex: Knex) => Timed<T>): Promise<T> {
    const { knex } = this;
    if (knex.client.dialect !== 'postgresql') {
      return statement(knex).timeout(GIVE_UP_MS);
    }
    const connection = await acquire(knex);
    const run = <R>(each: Timed<R>) =>
      each.connection(connection).timeout(GIVE_UP_MS);
    try {
      await run(knex.raw(BEGIN));
      const answer = await run(statement(knex));
      await run(knex.raw('commit'));
      return answer;
    } catch (error) {
      // Knex closes a connection that has timed out.
      if ((error as Error).name !== 'KnexTimeoutError') {
        await run(knex.raw('rollback')).then(undefined, () => {});
      }
      throw error;
    } finally {
      await knex.client.releaseConnection(connection);
    }
  }
}

/** Waits for a connection of the pool, and gives back one that comes too late. */
async function acquire({ client }: Knex): Promise<unknown> {
  const acquiring = client.acquireConnection();
  try {
    return await withTimeout(acquiring, GIVE_UP_MS, 'No connection is free');
  } catch (error) {
    acquiring.then(client.releaseConnection.bind(client), () => {});
    throw error;
  }
}

interface Timed<T> extends PromiseLike<T> {
  connection(connection: unknown): Timed<T>;
  timeout(milliseconds: number): PromiseLike<T>;
}
