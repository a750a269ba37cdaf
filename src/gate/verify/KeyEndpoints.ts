import type { LoggerService } from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { LRUCache } from 'lru-cache';
import type { BackendPlugins } from '../plugins/BackendPlugins';
import { Refusal } from '../Refusal';
import { PLUGIN_KEYS_PATH, USER_KEYS_PATH } from '../read/requestLine';
import { RateLimit } from '../util/RateLimit';
import { fetchKeyIds, KeyAnswer } from './fetchKeyIds';
import { NewcomerLimit } from './NewcomerLimit';
import type { DecodedToken, Token } from '../read/token';

// The time is short: a plugin that did not answer may be up a moment later.
const FAILURE_KEPT_MS = 5_000;
// The time is shorter, since a token may have failed because of an outage that began since.
const SUCCESS_KEPT_MS = 1_000;

const LOG_AGAIN_AFTER_MS = 60_000;

const NEW_PER_MINUTE = 10;
const MAX_KNOWN = 1_000;

// Backstage accepts these ids for plugins that call.
const CALLER_ID = /^[a-z0-9_-]+$/i;

// Bounds the memory for ids that a client can make up.
const MAX_ID_LENGTH = 200;

const MAX_USER_KEYS = 1_000;
// Backstage may wait as long before it fetches the keys of an endpoint again, and does not have a new one until then.
const NEW_MS = 30_000;

/**
 * Probes the endpoints that offer the keys of tokens.
 *
 * Discovery returns an address for every plugin id, and Backstage fetches keys from it for every id in a token, even a made-up
 * one. So the endpoint of an unknown plugin is probed first, within a {@link NewcomerLimit}. And Backstage reports an unreachable
 * endpoint, and a key that it has not fetched yet, like a forged signature: the probe distinguishes them after a failed verification.
 */
export class KeyEndpoints {
  readonly #answers = new Map<string, Promise<KeyAnswer>>();
  readonly #known = new LRUCache<string, true>({ max: MAX_KNOWN });
  readonly #limit = new NewcomerLimit(NEW_PER_MINUTE);
  /** When the gate has first seen each key of user tokens, by `performance.now()`; `undefined` before the first one. */
  #userKeys: LRUCache<string, number> | undefined;
  readonly #logLimit = new RateLimit({
    max: 1,
    intervalMs: LOG_AGAIN_AFTER_MS,
  });
  /** Whether `observe` fetches the keys, or has done so within the last 5 s. */
  #isFetchingUserKeys = false;

  constructor(
    private readonly options: {
      /** Whether the plugin is installed here, or its address is configured. */
      isKnown(pluginId: string): Promise<boolean>;
      logger: LoggerService;
      plugins: Pick<BackendPlugins, 'anyRegistered'>;
    },
    private readonly fetchKeys = fetchKeyIds,
  ) {}

  /**
   * Asserts that the plugin exists that a service token names as its caller. Returns a promise only if that is not known.
   *
   * @throws Refusal 401 if no plugin can have issued the token, and 503 if the gate can't determine that now
   */
  assertCallerKnown(token: DecodedToken | undefined): void | Promise<void> {
    const isKnown =
      token?.typ !== tokenTypes.plugin.typParam ||
      (token.sub !== undefined && this.#known.has(token.sub));
    return isKnown ? undefined : this.#findCaller(token!.sub);
  }

  async #findCaller(sub: string | undefined): Promise<void> {
    if (typeof sub !== 'string' || !CALLER_ID.test(sub)) {
      throw Refusal.because('invalid-token', 'malformed');
    }
    if (!(await this.options.isKnown(sub))) {
      const answer = await this.#probeUnknown(sub);
      if (answer === 'not-found') {
        throw Refusal.because('invalid-token', 'unknown-key');
      }
      if (answer === undefined) {
        throw Refusal.because('keys-unavailable');
      }
    }
    this.#known.set(sub, true);
  }

  /**
   * Returns whether the endpoints offer the keys with which a token must have been verified.
   *
   * @throws Refusal 503 if the keys could not be fetched, or if Backstage may not have fetched the key of a user token yet
   */
  async hasKeysOf({
    claims,
    userToken,
  }: Pick<Token, 'claims' | 'userToken'>): Promise<boolean> {
    let hasKeys = true;
    if (userToken) {
      const keys = await this.#probe('auth', USER_KEYS_PATH);
      if (!offersKeys(keys)) {
        throw Refusal.because('keys-unavailable');
      }
      const firstSeen = this.#userKeys?.get(userToken.kid ?? '') ?? -Infinity;
      if (performance.now() - firstSeen < NEW_MS) {
        throw Refusal.because('keys-unavailable', 'new-key');
      }
      hasKeys = includesKey(keys, userToken.kid);
    }
    if (claims?.typ === tokenTypes.plugin.typParam) {
      const keys = await this.#probe(claims.sub!, PLUGIN_KEYS_PATH);
      // An empty key set is a valid answer here: a plugin that has called no other plugin has no key yet.
      if (!Array.isArray(keys)) {
        throw Refusal.because('keys-unavailable');
      }
      hasKeys &&= includesKey(keys, claims.kid);
    }
    return hasKeys;
  }

  /**
   * Remembers the key of a user token that has verified. If the gate has seen others and not this one, it fetches the keys in the
   * background. So the gate has seen a key by the time that Backstage has, and can recognise the next one as new.
   */
  observe(userToken: DecodedToken | undefined) {
    const kid = userToken?.kid;
    if (kid === undefined || this.#userKeys?.has(kid)) {
      return;
    }
    if (!this.#userKeys) {
      this.#addUserKeys([kid]);
    } else if (!this.#isFetchingUserKeys) {
      this.#isFetchingUserKeys = true;
      // The answer is not kept for probes, because an outage that begins now must not be taken for a forged token.
      this.#fetch('auth', USER_KEYS_PATH)
        // The endpoint may no longer offer the key.
        .then(keys => Array.isArray(keys) && this.#addUserKeys([kid]))
        .catch(() => {})
        .finally(() => {
          setTimeout(() => {
            this.#isFetchingUserKeys = false;
          }, FAILURE_KEPT_MS).unref();
        });
    }
  }

  /** Resolves to `undefined` also when the limit is exhausted. */
  async #probeUnknown(pluginId: string): Promise<KeyAnswer> {
    if (pluginId.length > MAX_ID_LENGTH) {
      return 'not-found';
    }
    const isProbed = this.#answers.has(`${pluginId}${PLUGIN_KEYS_PATH}`);
    return isProbed || this.#limit.admits(pluginId)
      ? this.#probe(pluginId, PLUGIN_KEYS_PATH)
      : undefined;
  }

  /**
   * Returns the answer of an endpoint, or `undefined` after 3 s. Each endpoint gets one request at a time; a failure is cached
   * for 5 s, keys for 1 s.
   */
  #probe(pluginId: string, path: string): Promise<KeyAnswer> {
    const key = `${pluginId}${path}`;
    let answer = this.#answers.get(key);
    if (!answer) {
      answer = this.#fetch(pluginId, path).catch(() => undefined);
      this.#answers.set(key, answer);
      answer.then(keys => {
        const keptMs = offersKeys(keys) ? SUCCESS_KEPT_MS : FAILURE_KEPT_MS;
        setTimeout(() => this.#answers.delete(key), keptMs).unref();
      });
    }
    return answer;
  }

  async #fetch(pluginId: string, path: string): Promise<KeyAnswer> {
    const { discovery } = this.options.plugins.anyRegistered();
    const url = `${await discovery.getBaseUrl(pluginId)}${path}`;
    const isForUsers = path === USER_KEYS_PATH;
    try {
      const keys = await this.fetchKeys(url);
      if (isForUsers && Array.isArray(keys)) {
        this.#addUserKeys(keys);
      }
      // The endpoint of a plugin that has called no other one has no key, and that of a plugin that does not exist is not found.
      if (isForUsers && !offersKeys(keys)) {
        this.#logFailure(pluginId, url, 'it offers none');
      }
      return keys;
    } catch (error) {
      this.#logFailure(pluginId, url, (error as Error).message);
      return undefined;
    }
  }

  /** Adds keys. Those of the first call are old ones: they may have been there for long. */
  #addUserKeys(kids: readonly unknown[]) {
    const now = this.#userKeys ? performance.now() : -Infinity;
    this.#userKeys ??= new LRUCache({ max: MAX_USER_KEYS });
    for (const kid of kids) {
      if (typeof kid === 'string' && !this.#userKeys.has(kid)) {
        this.#userKeys.set(kid, now);
      }
    }
  }

  /** Logs the address that was asked, once a minute for each plugin that is known, and for all others together. */
  #logFailure(pluginId: string, url: string, problem: string) {
    const isKnown = pluginId === 'auth' || this.#known.has(pluginId);
    if (this.#logLimit.take(isKnown ? pluginId : '') === 0) {
      // A wrong address may be no URL.
      const address = url.replace(/[^/\\]*@|[?#].*$/g, '');
      this.options.logger.warn(
        `API gate can not fetch keys from ${address}: ${problem}. Tokens of these keys are answered 503. If the address is wrong, set it in discovery.endpoints`,
      );
    }
  }
}

function offersKeys(answer: KeyAnswer): answer is readonly unknown[] {
  return Array.isArray(answer) && answer.length > 0;
}

/** Returns whether the key of a token is among others. Any key may verify a token that names none. */
function includesKey(keys: readonly unknown[], kid: string | undefined) {
  return kid === undefined ? keys.length > 0 : keys.includes(kid);
}
