import type { LoggerService } from '@backstage/backend-plugin-api';
import { userKey } from '../../gate/sessions/Revocation';
import { poll } from '../poll';
import { CallServices, fetchFromAuthPlugin } from './fetchFromAuthPlugin';

/** The path that ends the refresh tokens of a user, below the `auth` plugin. */
const OFFLINE_SESSIONS_PATH = '/v1/offline-sessions/revoke';

const RETRY_MS = 10_000;

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
  readonly #pending = new Map<string, string>();
  readonly #stopping = new AbortController();

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
      intervalMs: () => RETRY_MS,
      signal: this.#stopping.signal,
      log: {
        logger: options.logger,
        failing:
          'API gate can not end refresh tokens of OAuth clients: the auth plugin is out of reach, and the gate will retry',
        again: 'API gate can end refresh tokens of OAuth clients again',
      },
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
    return fetchFromAuthPlugin(services, OFFLINE_SESSIONS_PATH, {
      body,
      redirect: 'error',
    });
  }

  /** Retries one user after another, and stops at the first failure: all of them depend on the same plugin. */
  async #retry() {
    for (const [key, userEntityRef] of this.#pending) {
      // A user for whom it fails comes last the next time.
      this.#pending.delete(key);
      this.#pending.set(key, userEntityRef);
      const answer = await this.#request(userEntityRef);
      this.#pending.delete(key);
      this.options.onEndedLater(userEntityRef, answer);
    }
  }
}
