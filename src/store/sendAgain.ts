import { setTimeout as wait } from 'node:timers/promises';

/** PostgreSQL's `idle_session_timeout`: the server had ended the session when the statement arrived, and has not run it. */
const SESSION_HAD_ENDED = '57P05';

const CLOSING_MS = 100;

/**
 * Sends a statement again if the server had ended the session. A process that was busy has not closed its idle connections, so each
 * of them may be such a one.
 *
 * @param connections - how many there are at most
 */
export async function sendAgain<T>(
  send: () => PromiseLike<T>,
  connections: number,
): Promise<T> {
  for (let ended = 0; ; ended += 1) {
    try {
      return await send();
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== SESSION_HAD_ENDED || ended === connections) {
        throw error;
      }
      // Knex would use the connection again until the end of it has arrived.
      await wait(CLOSING_MS);
    }
  }
}
