import type { DiscoveryService } from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { LRUCache } from 'lru-cache';
import { Refusal } from '../decision/Refusal';
import { PLUGIN_KEYS_PATH } from '../http/backstagePaths';
import type { DecodedToken } from './token';
import type { KeyAnswer, KeyEndpoints } from './KeyEndpoints';
import { NewcomerLimit } from './NewcomerLimit';

const NEW_PER_MINUTE = 10;
const MAX_ANSWERED = 1_000;

// Short: a plugin that did not answer may be up a moment later.
const FAILURE_KEPT_MS = 5_000;

// What Backstage accepts as the id of a plugin that calls.
const PLUGIN_ID = /^[a-z0-9_-]+$/i;

// Bounds what is remembered of ids that a client can make up.
const MAX_ID_LENGTH = 200;

/**
 * The plugins whose service tokens are worth verifying. Discovery has an address for every id, and Backstage fetches keys from
 * it for each that a token names, whoever made that token up. So a plugin that is not known is asked for its keys here
 * first, within a {@link NewcomerLimit}.
 */
export class CallingPlugins {
  readonly #answered = new LRUCache<string, true>({ max: MAX_ANSWERED });
  readonly #asked = new Map<string, Promise<KeyAnswer>>();
  readonly #limit = new NewcomerLimit(NEW_PER_MINUTE);

  constructor(
    private readonly options: {
      keyEndpoints: KeyEndpoints;
      /** Whether it is installed here, or its address is configured. */
      isKnown(pluginId: string): Promise<boolean>;
    },
  ) {}

  /**
   * For a service token; at once for any other.
   *
   * @throws Refusal 401 if no plugin can have made it, and 503 if that can't be told now
   */
  assertKnown(
    token: DecodedToken | undefined,
    discovery: DiscoveryService,
  ): Promise<void> | undefined {
    return token?.typ === tokenTypes.plugin.typParam
      ? this.#assertKnown(token.sub, discovery)
      : undefined;
  }

  async #assertKnown(sub: string | undefined, discovery: DiscoveryService) {
    if (typeof sub !== 'string' || !PLUGIN_ID.test(sub)) {
      throw Refusal.invalidToken;
    }
    if (this.#answered.has(sub) || (await this.options.isKnown(sub))) {
      return;
    }
    const answer =
      sub.length > MAX_ID_LENGTH
        ? 'not-found'
        : await this.#ask(sub, discovery);
    if (answer === 'not-found') {
      throw Refusal.invalidToken;
    }
    if (answer === undefined) {
      throw Refusal.keysUnavailable;
    }
    this.#answered.set(sub, true);
  }

  /** Resolves to `undefined` also where no more may be asked. */
  async #ask(
    pluginId: string,
    discovery: DiscoveryService,
  ): Promise<KeyAnswer> {
    const asked = this.#asked.get(pluginId);
    if (asked || !this.#limit.admits(pluginId)) {
      return asked;
    }
    const answer = discovery
      .getBaseUrl(pluginId)
      .then(url => this.options.keyEndpoints.probe(`${url}${PLUGIN_KEYS_PATH}`))
      .catch(() => undefined);
    this.#asked.set(pluginId, answer);
    answer.then(() =>
      setTimeout(() => this.#asked.delete(pluginId), FAILURE_KEPT_MS).unref(),
    );
    return answer;
  }
}
