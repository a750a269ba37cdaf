import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { LRUCache } from 'lru-cache';
import { userKey } from '../../gate/sessions/Revocation';
import { poll } from '../poll';
import { CallServices, fetchFromPlugin } from './fetchFromPlugin';

/** The path that ends the refresh tokens of a user, below the `auth` plugin. */
const OFFLINE_SESSIONS_PATH = '/v1/offline-sessions/revoke';

const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 60_000;

// Above this number, the user who has waited longest is dropped and logged.
const MAX_PENDING = 1_000;

/**
 * The result of ending a user's offline sessions at the `auth` plugin.
 *
 * - `disabled`: the plugin issues no refresh tokens to OAuth clients
 * - `unsupported`: the plugin issues refresh tokens, and can't end this user's (`auth` backends before 0.31 can end none)
 */
export type OfflineSessionsAnswer =
  { ended: number } | 'disabled' | 'unsupported';

/**
 * Ends the refresh tokens that the `auth` plugin has issued to OAuth clients, by the plugin's own route. Backstage calls them
 * offline sessions.
 */
export class OfflineSessions {
  /** Users whose offline sessions could not be ended yet, by `userKey`. */
  readonly #pending = new LRUCache<string, string>({
    max: MAX_PENDING,
    dispose: (_, key, reason) => reason === 'evict' && this.#logDropped(key),
  });
  readonly #stopping = new AbortController();
  #retryMs = FIRST_RETRY_MS;

  constructor(
    private readonly options: {
      services(): CallServices;
      /** `auth.experimentalRefreshToken.enabled`; `undefined` where the `auth` plugin runs in another backend. */
      isEnabled(): boolean | undefined;
      logger: LoggerService;
      onEndedLater(userEntityRef: string, answer: OfflineSessionsAnswer): void;
    },
  ) {
    poll(() => this.#retry(), {
      intervalMs: () => this.#retryMs,
      signal: this.#stopping.signal,
    });
  }

  /**
   * Ends the offline sessions of a user.
   *
   * @throws Error if the `auth` plugin is out of reach; retries run in the background until this backend stops
   */
  async end(userEntityRef: string): Promise<OfflineSessionsAnswer> {
    try {
      const answer = await this.#request(userEntityRef);
      this.#pending.delete(userKey(userEntityRef));
      return answer;
    } catch (error) {
      this.#pending.set(userKey(userEntityRef), userEntityRef);
      throw error;
    }
  }

  /**
   * Logs a warning if refresh tokens are enabled and no route can end them. Goes in October 2027: `auth` plugins before November
   * 2026 have no route that ends refresh tokens.
   */
  async check(): Promise<void> {
    if (this.options.isEnabled()) {
      // The plugin rejects a body without a user, so this request ends nothing.
      const { body, status } = await this.#fetch({});
      await body?.cancel();
      if (status === 404) {
        this.options.logger.warn(
          'API gate: auth.experimentalRefreshToken.enabled is true, and this auth plugin has no route that ends refresh tokens: a sign-out does not end those of OAuth clients. Update @backstage/plugin-auth-backend to 0.31 or later',
        );
      }
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #request(userEntityRef: string): Promise<OfflineSessionsAnswer> {
    if (this.options.isEnabled() === false) {
      return 'disabled';
    }
    const response = await this.#fetch({ userEntityRef });
    // 404: the plugin has no such route, or the feature is off in the other backend. 400: the plugin ends the offline sessions of
    // entities of the kind `user` only.
    if (response.status === 404 || response.status === 400) {
      await response.body?.cancel();
      return 'unsupported';
    }
    const { revokedCount } = await response.json();
    return { ended: Number(revokedCount) || 0 };
  }

  #fetch(body: { userEntityRef?: string }): Promise<Response> {
    const services = this.options.services();
    return fetchFromPlugin(services, 'auth', OFFLINE_SESSIONS_PATH, {
      body,
      redirect: 'error',
    });
  }

  #logDropped(user: string) {
    this.options.logger.warn(
      `API gate no longer tries to end the refresh tokens of ${user}: too many others wait for the auth plugin. Sign out again`,
    );
  }

  /** Retries one user after another, the oldest first, and stops at the first failure: all of them depend on the same plugin. */
  async #retry() {
    try {
      for (const [key, userEntityRef] of [...this.#pending.rentries()]) {
        // Another sign-out of the user may have succeeded meanwhile.
        if (this.#pending.has(key)) {
          const answer = await this.#request(userEntityRef);
          this.#pending.delete(key);
          this.options.onEndedLater(userEntityRef, answer);
        }
      }
      this.#retryMs = FIRST_RETRY_MS;
    } catch (error) {
      this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
      this.options.logger.warn(
        'API gate can not end refresh tokens of OAuth clients: the auth plugin is out of reach, and the gate will retry',
        {
          users: this.#pending.size,
          errorType: isError(error) ? error.name : typeof error,
        },
      );
    }
  }
}
