import type { DiscoveryService } from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { LRUCache } from 'lru-cache';
import { Refusal } from '../decision/Refusal';
import { PLUGIN_KEYS_PATH } from '../http/backstagePaths';
import type { DecodedToken } from './token';
import type { KeyAnswer, KeyEndpoints } from './KeyEndpoints';
import { NewcomerLimit } from './NewcomerLimit';

const NEW_PER_MINUTE = 10;
const MAX_KNOWN = 1_000;

// The time is short: a plugin that did not answer may be up a moment later.
const FAILURE_KEPT_MS = 5_000;

// Backstage accepts these ids for plugins that call.
const PLUGIN_ID = /^[a-z0-9_-]+$/i;

// Bounds the memory for ids that a client can make up.
const MAX_ID_LENGTH = 200;

/**
 * Decides which service tokens are verified, by the plugin that they name. Discovery returns an address for every id, and
 * Backstage fetches keys from it for every id in a token, even a made-up one. This class therefore probes the keys of an unknown
 * plugin first, within a {@link NewcomerLimit}.
 */
export class CallingPlugins {
  readonly #known = new LRUCache<string, true>({ max: MAX_KNOWN });
  readonly #asked = new Map<string, Promise<KeyAnswer>>();
  readonly #limit = new NewcomerLimit(NEW_PER_MINUTE);

  constructor(
    private readonly options: {
      keyEndpoints: KeyEndpoints;
      /** Whether the plugin is installed here, or its address is configured. */
      isKnown(pluginId: string): Promise<boolean>;
    },
  ) {}

  /**
   * Asserts that the caller of a service token exists. Returns at once for any other token, and for a caller that is known.
   *
   * @throws Refusal 401 if no plugin can have issued the token, and 503 if the gate can't determine that now
   */
  assertKnown(
    token: DecodedToken | undefined,
    discovery: DiscoveryService,
  ): Promise<void> | undefined {
    if (token?.typ !== tokenTypes.plugin.typParam) {
      return undefined;
    }
    const { sub } = token;
    return typeof sub === 'string' && this.#known.has(sub)
      ? undefined
      : this.#assertKnown(sub, discovery);
  }

  async #assertKnown(sub: string | undefined, discovery: DiscoveryService) {
    if (typeof sub !== 'string' || !PLUGIN_ID.test(sub)) {
      throw Refusal.invalidToken;
    }
    if (!(await this.options.isKnown(sub))) {
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
    }
    this.#known.set(sub, true);
  }

  /** Probes the keys of a plugin. Resolves to `undefined` also when the limit is exhausted. */
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
