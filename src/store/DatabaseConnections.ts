import { setTimeout as wait } from 'node:timers/promises';
import type {
  DatabaseService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import knexFactory, { Knex } from 'knex';
import { withTimeout } from '../gate/util/time';

/** The connections that a process has for everything that the gate stores. Further statements wait for one of them. */
const MAX_CONNECTIONS = 2;

// A statement that gets no connection within this time fails.
const ACQUIRE_MS = 5_000;

// The server ends a wait for a lock, a statement, an idle transaction and an idle session after these times.
const LOCK_MS = 2_000;
const STATEMENT_MS = 4_000;
const IDLE_TRANSACTION_MS = 5_000;
const IDLE_SESSION_MS = 6_000;

// The pool closes an idle connection before the server does.
const IDLE_MS = 3_000;

/**
 * The pool gives up a connection without an answer after this time, and may then open another one. The server has ended the
 * session by then: the session was idle until the statement arrived, ran it, and was idle again.
 */
const GIVE_UP_MS = 2 * IDLE_SESSION_MS + STATEMENT_MS + 1_000;

const CLOSE_MS = 5_000;

/** PostgreSQL's `idle_session_timeout`: the server had ended the session when the statement arrived, and has not run it. */
const SESSION_HAD_ENDED = '57P05';
const CLOSING_MS = 100;

const STATEMENT_LIMITS = {
  lock_timeout: LOCK_MS,
  statement_timeout: STATEMENT_MS,
  idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
};

/** The connection parameter that makes PostgreSQL keep the limits from the first moment of a session. */
const POSTGRES_OPTIONS = Object.entries({
  ...STATEMENT_LIMITS,
  // PostgreSQL has it from version 14 on.
  idle_session_timeout: IDLE_SESSION_MS,
})
  .map(([name, milliseconds]) => ` -c ${name}=${milliseconds}`)
  .join('');

const SET_LOCAL = Object.entries(STATEMENT_LIMITS)
  .map(([name, milliseconds]) => `set local ${name} = ${milliseconds}`)
  .join('; ');

/**
 * The gate's connections to the `auth` plugin's database. The pool on PostgreSQL is the gate's own, and the server ends what is not
 * answered in time. A limit on this side alone would leave each statement waiting at the server and open another connection for the next
 * one, until the database refuses all of Backstage. On any other database, the gate uses the plugin's connections.
 */
export class DatabaseConnections {
  private constructor(
    /** Builds statements, which {@link run} runs. */
    readonly knex: Knex,
    readonly skipMigrations: boolean,
    /** Whether the connections are the gate's own. */
    private readonly isOwn: boolean,
    /** Whether a connection does not keep the limits, so that each statement sets them. */
    private readonly setsLimits: boolean,
  ) {}

  static async open(
    database: Pick<DatabaseService, 'getClient' | 'migrations'>,
    logger: LoggerService,
  ): Promise<DatabaseConnections> {
    const shared = await database.getClient();
    const isOwn = shared.client.dialect === 'postgresql';
    const { knex, setsLimits } = isOwn
      ? await openPostgres(shared, logger)
      : { knex: shared, setsLimits: false };
    const skip = database.migrations?.skip ?? false;
    return new DatabaseConnections(knex, skip, isOwn, setsLimits);
  }

  /**
   * Runs a statement. It is sent again if the server had ended the session: a process that was busy has not closed its idle connections, so
   * each of them may be such a one.
   */
  async run<T>(statement: (knex: Knex) => Timed<T>): Promise<T> {
    for (let ended = 0; ; ended += 1) {
      try {
        return await this.runOnce(statement);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== SESSION_HAD_ENDED || ended === MAX_CONNECTIONS) {
          throw error;
        }
        // Knex would use the connection again until the end of it has arrived.
        await wait(CLOSING_MS);
      }
    }
  }

  private async runOnce<T>(statement: (knex: Knex) => Timed<T>): Promise<T> {
    const { knex } = this;
    if (!this.setsLimits) {
      return statement(knex).timeout(GIVE_UP_MS);
    }
    const connection = await knex.client.acquireConnection();
    const run = <R>(each: Timed<R>) =>
      each.connection(connection).timeout(GIVE_UP_MS);
    try {
      // `begin` and the limit are one message, so that a transaction never waits for its next statement without a limit.
      await run(knex.raw(`begin; ${SET_LOCAL}`));
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

  /** Closes the gate's own connections, and waits five seconds at most for their statements. */
  async close(): Promise<void> {
    if (this.isOwn) {
      const closing = this.knex.destroy();
      await withTimeout(closing, CLOSE_MS, 'No answer').catch(() => {});
    }
  }
}

interface Timed<T> extends PromiseLike<T> {
  connection(connection: unknown): Timed<T>;
  timeout(milliseconds: number): PromiseLike<T>;
}

/** Opens a pool whose server keeps the limits, or, behind a pooler that does not pass them on, one whose statements set them. */
async function openPostgres(shared: Knex, logger: LoggerService) {
  const roles = await shared.raw("select current_setting('role') as role");
  const [{ role }] = roles.rows;
  const setRole =
    role === 'none' ? undefined : shared.raw('set role ??', [role]).toQuery();
  const open = (limits: string) =>
    openPool(
      shared,
      ({ options = process.env.PGOPTIONS ?? '' }) => ({
        application_name: 'backstage_api_gate',
        connectionTimeoutMillis: GIVE_UP_MS,
        // Ends the wait for answers to what knex sends by itself. Other statements are given up before.
        query_timeout: GIVE_UP_MS + 1_000,
        // Limits of the plugin's own connections would go before those in the options.
        ...(limits && { ...STATEMENT_LIMITS, options: options + limits }),
      }),
      setRole,
    );
  const knex = open(POSTGRES_OPTIONS);
  try {
    const { rows } = await knex
      .raw("select current_setting('idle_session_timeout') as idle")
      .timeout(GIVE_UP_MS);
    if (rows[0].idle === `${IDLE_SESSION_MS / 1000}s`) {
      return { knex, setsLimits: false };
    }
  } catch {
    // A pooler refuses the parameter, and PostgreSQL 13 one of the limits. If the database is gone, the next statement fails.
  }
  await knex.destroy();
  logger.info(
    'API gate sets the time limits of the database with each statement, as its connections do not keep them: there is a pooler such as PgBouncer in front of PostgreSQL, or it is older than version 14',
  );
  return { knex: open(''), setsLimits: true };
}

/**
 * Opens a pool with the settings of another one.
 *
 * @param change - returns what is different in the settings of a connection
 * @param first - the statement with which each connection begins
 */
function openPool(
  { client }: Knex,
  change: (connection: Record<string, any>) => object,
  first?: string,
): Knex {
  const { connection, pool } = client.config;
  const withChange = (settings: Record<string, any>) => ({
    ...settings,
    // Knex hides the password from being copied.
    password: settings.password,
    ...change(settings),
  });
  return knexFactory({
    ...client.config,
    // The class of Backstage's own copy of knex, which finds the driver.
    client: client.constructor,
    connection:
      typeof connection === 'function'
        ? async () => withChange(await connection())
        : withChange(connection),
    pool: {
      ...pool,
      min: 0,
      max: MAX_CONNECTIONS,
      acquireTimeoutMillis: ACQUIRE_MS,
      createTimeoutMillis: GIVE_UP_MS + ACQUIRE_MS,
      idleTimeoutMillis: IDLE_MS,
      ...(first && {
        afterCreate: (created: any, done: (...result: unknown[]) => void) =>
          created.query(first, (error: unknown) => {
            if (error) {
              // Knex drops such a connection without closing it.
              created.end();
            }
            done(error, created);
          }),
      }),
    },
    // The gate logs itself that the database fails.
    log: { warn: () => {} },
  });
}
