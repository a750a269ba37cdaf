import type { DiscoveryService } from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { LRUCache } from 'lru-cache';
import { Refusal } from '../decision/Refusal';
import { PLUGIN_KEYS_PATH, USER_KEYS_PATH } from '../http/backstagePaths';
import { NewcomerLimit } from './NewcomerLimit';
import type { DecodedToken, Token } from './token';

const TIMEOUT_MS = 3_000;
// The time is short: a plugin that did not answer may be up a moment later.
const FAILURE_KEPT_MS = 5_000;
// The time is shorter, since a token may have failed because of an outage that began since.
const SUCCESS_KEPT_MS = 1_000;

const NEW_PER_MINUTE = 10;
const MAX_KNOWN = 1_000;

// Backstage accepts these ids for plugins that call.
const PLUGIN_ID = /^[a-z0-9_-]+$/i;

// Bounds the memory for ids that a client can make up.
const MAX_ID_LENGTH = 200;

/** The number of keys that an endpoint offers; `undefined` if it returns no key set. */
export type KeyAnswer = number | 'not-found' | undefined;

/**
 * Probes the endpoints that offer the keys of tokens.
 *
 * Discovery returns an address for every plugin id, and Backstage fetches keys from it for every id in a token, even a made-up
 * one. So the endpoint of an unknown plugin is probed first, within a {@link NewcomerLimit}. And Backstage reports an unreachable
 * endpoint like a forged signature, so that the probe distinguishes the two after a failed verification.
 */
export class KeyEndpoints {
  readonly #answers = new Map<string, Promise<KeyAnswer>>();
  readonly #known = new LRUCache<string, true>({ max: MAX_KNOWN });
  readonly #limit = new NewcomerLimit(NEW_PER_MINUTE);
  readonly #fetchKeyCount: (url: string) => Promise<KeyAnswer>;

  constructor(
    private readonly options: {
      /** Whether the plugin is installed here, or its address is configured. */
      isKnown(pluginId: string): Promise<boolean>;
      /** For tests. Default: fetches the key set. */
      fetchKeyCount?(url: string): Promise<KeyAnswer>;
    },
  ) {
    this.#fetchKeyCount = options.fetchKeyCount ?? fetchKeyCount;
  }

  /**
   * Asserts that the plugin exists that a service token names as its caller. Returns at once for any other token, and for a
   * plugin that is known.
   *
   * @throws Refusal 401 if no plugin can have issued the token, and 503 if the gate can't determine that now
   */
  assertCallerKnown(
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

  /**
   * Asserts that the keys with which a token must have been verified could be fetched.
   *
   * @throws Refusal 503
   */
  async assertAvailable(
    { claims, userToken }: Pick<Token, 'claims' | 'userToken'>,
    discovery: DiscoveryService,
  ): Promise<void> {
    if (userToken) {
      const keys = await this.#probe('auth', USER_KEYS_PATH, discovery);
      if (!offersKeys(keys)) {
        throw Refusal.keysUnavailable;
      }
    }
    if (claims?.typ === tokenTypes.plugin.typParam) {
      const keys = await this.#probe(claims.sub!, PLUGIN_KEYS_PATH, discovery);
      // An empty key set is a valid answer here: a plugin that has called no other plugin has no key yet.
      if (typeof keys !== 'number') {
        throw Refusal.keysUnavailable;
      }
    }
  }

  async #assertKnown(sub: string | undefined, discovery: DiscoveryService) {
    if (typeof sub !== 'string' || !PLUGIN_ID.test(sub)) {
      throw Refusal.invalidToken;
    }
    if (!(await this.options.isKnown(sub))) {
      const answer = await this.#probeUnknown(sub, discovery);
      if (answer === 'not-found') {
        throw Refusal.invalidToken;
      }
      if (answer === undefined) {
        throw Refusal.keysUnavailable;
      }
    }
    this.#known.set(sub, true);
  }

  /** Resolves to `undefined` also when the limit is exhausted. */
  async #probeUnknown(
    pluginId: string,
    discovery: DiscoveryService,
  ): Promise<KeyAnswer> {
    if (pluginId.length > MAX_ID_LENGTH) {
      return 'not-found';
    }
    const isProbed = this.#answers.has(`${pluginId}${PLUGIN_KEYS_PATH}`);
    return isProbed || this.#limit.admits(pluginId)
      ? this.#probe(pluginId, PLUGIN_KEYS_PATH, discovery)
      : undefined;
  }

  /**
   * Returns the answer of an endpoint, or `undefined` after 3 s. Each endpoint gets one request at a time; a failure is cached
   * for 5 s, keys for 1 s.
   */
  #probe(
    pluginId: string,
    path: string,
    discovery: DiscoveryService,
  ): Promise<KeyAnswer> {
    const key = `${pluginId}${path}`;
    let answer = this.#answers.get(key);
    if (!answer) {
      answer = discovery
        .getBaseUrl(pluginId)
        .then(url => this.#fetchKeyCount(`${url}${path}`))
        .catch(() => undefined);
      this.#answers.set(key, answer);
      answer.then(keys => {
        const keptMs = offersKeys(keys) ? SUCCESS_KEPT_MS : FAILURE_KEPT_MS;
        setTimeout(() => this.#answers.delete(key), keptMs).unref();
      });
    }
    return answer;
  }
}

/** Returns whether an answer has at least one key. */
function offersKeys(answer: KeyAnswer): boolean {
  return typeof answer === 'number' && answer > 0;
}

async function fetchKeyCount(url: string): Promise<KeyAnswer> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      // Backstage does not follow redirects either.
      redirect: 'manual',
    });
    // Backstage's gateway answers 508 if discovery has no other address for a plugin.
    if (response.status === 404 || response.status === 508) {
      await response.body?.cancel();
      return 'not-found';
    }
    const body = response.ok ? await response.json() : undefined;
    return isKeySet(body) ? body.keys.length : undefined;
  } catch {
    return undefined;
  }
}

/** Returns whether Backstage accepts a body as a key set. */
function isKeySet(body: any): body is { keys: object[] } {
  return (
    Array.isArray(body?.keys) &&
    body.keys.every((key: unknown) => typeof key === 'object' && key !== null)
  );
}
