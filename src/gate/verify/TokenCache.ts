import type {
  AuthService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';
import { withTimeout } from '../util/time';
import { Token } from '../read/token';
import { TOKEN_TTL_MS } from './tokenTtl';

// A token of 560 characters takes about 1.3 KB, and 0.7 KB for each plugin that has verified it, of whatever length it is: about 40 MB.
const MAX_TOKENS = 20_000;
const MAX_CHARACTERS = 24_000_000;
const LEAST_CHARACTERS = 560;
/**
 * Allows for the keys of two issuers, at Backstage's own 5 s each. `jose` 5 (the legacy system, and releases before November 2026)
 * waits without limit for an issuer that stops sending after its headers, and all requests with the same token would wait too.
 */
const VERIFY_TIMEOUT_MS = 11_000;

export type VerifyOptions = Parameters<AuthService['authenticate']>[1];

/** Verifies the tokens of requests as the `auth` of one plugin does. */
export interface TokenVerifier {
  /** Returns credentials for one request if the token is remembered, without a promise. */
  look(token: Token, options?: VerifyOptions): BackstageCredentials | undefined;
  /** Verifies a token. Rejects as `AuthService.authenticate` does. */
  find(token: Token, options?: VerifyOptions): Promise<BackstageCredentials>;
}

/** The result of a verification, for the request that made it. All others get a copy of what is kept, if anything is. */
interface Verified {
  credentials: BackstageCredentials;
  kept: BackstageCredentials | undefined;
}

/**
 * Caches tokens that Backstage has verified, with all that is known of each, by their text. So the same token is not
 * verified, decoded and made a cookie with each request. The cache holds no failures, and the checks of revocations, issuers and
 * cross-site requests are never cached. A withdrawn key or external token takes effect after the time to live.
 */
export class TokenCache {
  readonly #tokens = new LRUCache<string, Token>({
    max: MAX_TOKENS,
    maxSize: MAX_CHARACTERS,
  });
  /** Texts that most tokens have in common, such as their issuer: kept once, they save a fifteenth of the memory. */
  readonly #texts = new LRUCache<string, string>({ max: 100 });
  // Tokens that wait for their verification are not in the cache: a flood of them would evict verified ones.
  readonly #pending = new Map<string, Promise<Verified>>();
  #last: Token | undefined;

  /** @param options.ttlMs - 0 keeps no verdicts, and each request verifies its token */
  constructor(private readonly options = { ttlMs: TOKEN_TTL_MS }) {}

  /** Returns the token of a text, whether or not it is valid. */
  read(text: string): Token {
    // Reuse the last token: Backstage's services get the text only, and a token that has not verified is not in the cache.
    if (text !== this.#last?.text) {
      // Copy the text: one that is cut out of a `Cookie` header would keep the whole header in memory.
      this.#last =
        this.#tokens.get(text) ?? new Token(Buffer.from(text).toString());
    }
    return this.#last;
  }

  /** Keeps a token that has verified. Its verdicts are kept as it is verified, by a verifier. */
  remember(token: Token): void {
    if (!this.#tokens.has(token.text)) {
      this.#keep(token);
    }
  }

  /** Returns a verifier by a plugin's `auth`, which remembers what has verified. */
  verifierFor(
    auth: Pick<AuthService, 'authenticate'>,
    pluginId: string,
  ): TokenVerifier {
    const look: TokenVerifier['look'] = (token, options) =>
      recall(token, verdictKey(pluginId, options));
    const authenticate = (text: string, options: VerifyOptions) =>
      withTimeout(
        auth.authenticate(text, options),
        VERIFY_TIMEOUT_MS,
        'The token was not verified in time',
      );
    return {
      look,
      find: async (token, options) =>
        look(token, options) ??
        this.#verifyOnce(token, verdictKey(pluginId, options), () =>
          authenticate(token.text, options),
        ),
    };
  }

  /**
   * Verifies a token, once for all requests that wait for the same verdict. Credentials that can't be copied are not shared: each of
   * these requests verifies the token itself.
   */
  async #verifyOnce(
    token: Token,
    key: string,
    authenticate: () => Promise<BackstageCredentials>,
  ): Promise<BackstageCredentials> {
    // A text could hold what looks like the key of another verdict, so its hash stands for it.
    const pendingKey = `${key} ${token.digest}`;
    const pending = this.#pending.get(pendingKey);
    if (pending) {
      const { kept } = await pending;
      return kept ? copyOf(kept) : authenticate();
    }
    const verified = this.#verify(token, key, authenticate);
    this.#pending.set(pendingKey, verified);
    const forget = () => this.#pending.delete(pendingKey);
    verified.then(forget, forget);
    return (await verified).credentials;
  }

  async #verify(
    token: Token,
    key: string,
    authenticate: () => Promise<BackstageCredentials>,
  ): Promise<Verified> {
    const credentials = await authenticate();
    const kept = copyCredentials(credentials);
    if (kept) {
      // Another request may have read the same text meanwhile.
      const own = this.#tokens.get(token.text) ?? token;
      const keptUntil = Math.floor(performance.now() + this.options.ttlMs);
      const others = own.verdicts.filter(each => each.key !== key);
      own.verdicts = [...others, { key, credentials: kept, keptUntil }];
      this.#keep(own);
    }
    return { credentials, kept };
  }

  #keep(token: Token) {
    const { claims, text, verdicts } = token;
    for (const name of ['iss', 'kid', 'typ'] as const) {
      const own = claims?.[name];
      if (own !== undefined) {
        claims![name] = this.#texts.get(own) ?? own;
        this.#texts.set(own, claims![name]);
      }
    }
    // Delete it first, because the cache does not measure the same object again.
    this.#tokens.delete(text);
    this.#tokens.set(text, token, {
      size: Math.max(text.length, LEAST_CHARACTERS) * (verdicts.length + 1),
    });
    // Another request may have read the same text as another token, which has no verdict.
    if (this.#last?.text === text) {
      this.#last = token;
    }
  }
}

function recall(token: Token, key: string): BackstageCredentials | undefined {
  const verdict = token.verdicts.find(each => each.key === key);
  if (!verdict) {
    return undefined;
  }
  if (verdict.keptUntil <= performance.now() || expiryOf(token) <= Date.now()) {
    // Remove the verdict: `NegativeTokenCache` is asked only about tokens without one.
    token.verdicts = token.verdicts.filter(each => each !== verdict);
    return undefined;
  }
  return copyOf(verdict.credentials);
}

/** Identifies a verdict among those of one token: limited and full access are two. */
function verdictKey(pluginId: string, options: VerifyOptions): string {
  return options?.allowLimitedAccess ? `${pluginId} limited` : pluginId;
}

/** Returns the end of a token, or of the user token that it carries, in milliseconds since the epoch; `Infinity` without one. */
function expiryOf({ claims, userToken }: Token): number {
  return Math.min(claims?.exp ?? Infinity, userToken?.exp ?? Infinity) * 1000;
}

/**
 * Returns a copy of credentials. Each request gets one: Backstage freezes nothing, and what a handler changes must stay with its
 * request. All credentials that Backstage makes are plain data: those of a user, of a user for whom a service acts, and of a service.
 * Returns `undefined` for credentials with anything else in them, such as an instance of a class: a copy could lose a part of it, or
 * share it between requests.
 */
export function copyCredentials(
  original: BackstageCredentials,
): BackstageCredentials | undefined {
  try {
    return copyOf(original);
  } catch {
    return undefined;
  }
}

/**
 * Copies plain data, with properties that are not enumerable: Backstage keeps the token in one. Only functions are shared, such as
 * `toString`.
 *
 * @throws TypeError for any other object, and RangeError for an object that contains itself
 */
function copyOf<T>(original: T): T;
function copyOf(original: any): unknown {
  if (typeof original !== 'object' || original === null) {
    return original;
  }
  const prototype = Object.getPrototypeOf(original);
  if (prototype === Date.prototype) {
    return new Date(original);
  }
  if (prototype === Array.prototype) {
    return original.map(copyOf);
  }
  if (prototype === Map.prototype) {
    return new Map([...original].map(copyOf));
  }
  // The assignment of a property `__proto__` would replace the prototype of the copy.
  if (prototype !== Object.prototype || Object.hasOwn(original, '__proto__')) {
    throw new TypeError('Not plain data');
  }
  const copy: any = {};
  for (const key of Reflect.ownKeys(original)) {
    const value = copyOf(original[key]);
    if (Object.prototype.propertyIsEnumerable.call(original, key)) {
      copy[key] = value;
    } else {
      const hidden = { configurable: true, value, writable: true };
      Object.defineProperty(copy, key, hidden);
    }
  }
  return copy;
}
