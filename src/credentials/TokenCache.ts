import type {
  AuthService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';
import { withTimeout } from '../util/withTimeout';
import { decodeToken, effectiveUserToken } from './token';
import { digestOf } from './digestOf';
import { withAuthenticate } from './withAuthenticate';

// Each entry takes about 2.5 KB, since the credentials of a user hold the token: 10 MB at most, together with `DecodedTokens`.
const MAX_TOKENS = 2_000;
const MAX_TOKEN_CHARACTERS = 3_000_000;
/**
 * Allows for the keys of two issuers, at Backstage's own 5 s each. Before backend-defaults 0.19, Backstage waits without limit
 * for an issuer that stops sending after its headers, and all requests with the same token would wait too.
 */
const VERIFY_TIMEOUT_MS = 11_000;

interface Verified {
  /** Makes credentials for one request. */
  copy: () => BackstageCredentials;
  /** The end of the entry, in milliseconds since the epoch. */
  until: number;
}

/**
 * Caches tokens that Backstage has verified, so that the same token is not verified with each request. The cache holds no
 * failures, and the checks of revocations and of cross-site requests are never cached. A withdrawn key or external token takes
 * effect after the time to live.
 */
export class TokenCache {
  readonly #ttlMs: number;
  readonly #verified = new LRUCache<string, Verified>({
    max: MAX_TOKENS,
    maxSize: MAX_TOKEN_CHARACTERS,
  });
  readonly #pending = new Map<string, Promise<() => BackstageCredentials>>();

  constructor(options: { ttlMs: number }) {
    this.#ttlMs = options.ttlMs;
  }

  /** Returns a plugin's `auth` with a cached `authenticate`. */
  wrap(auth: AuthService, pluginId: string): AuthService {
    return withAuthenticate(auth, (token, options) =>
      this.#authenticate(auth, pluginId, token, options),
    );
  }

  async #authenticate(
    auth: AuthService,
    pluginId: string,
    token: string,
    options?: { allowLimitedAccess?: boolean },
  ): Promise<BackstageCredentials> {
    const key = `${pluginId} ${Boolean(options?.allowLimitedAccess)} ${digestOf(token)}`;
    const known = this.#verified.get(key);
    if (known && known.until > Date.now()) {
      return known.copy();
    }
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#verify(auth, key, token, options).finally(() =>
        this.#pending.delete(key),
      );
      this.#pending.set(key, pending);
    }
    const copy = await pending;
    return copy();
  }

  async #verify(
    auth: AuthService,
    key: string,
    token: string,
    options?: { allowLimitedAccess?: boolean },
  ): Promise<() => BackstageCredentials> {
    // Copy the token: a token that is cut out of a `Cookie` header would keep the whole header in memory.
    const own = Buffer.from(token).toString();
    const credentials = await withTimeout(
      auth.authenticate(own, options),
      VERIFY_TIMEOUT_MS,
      'The token was not verified in time',
    );
    const copy = createCopier(credentials);
    const until = Math.min(expiryOf(token), Date.now() + this.#ttlMs);
    this.#verified.set(key, { copy, until }, { size: token.length });
    return copy;
  }
}

/**
 * Returns the time, in milliseconds since the epoch, at which a token, or the user token that it carries, expires; `Infinity`
 * without an expiry.
 */
function expiryOf(token: string): number {
  const decoded = decodeToken(token);
  const expiries = [decoded?.exp, decoded && effectiveUserToken(decoded)?.exp];
  return (
    Math.min(...expiries.map(exp => (exp === undefined ? Infinity : exp))) *
    1000
  );
}

/** Returns a function that makes credentials for each request: changes that a handler makes stay with its request. */
function createCopier(credentials: BackstageCredentials) {
  const copy = createShallowCopier(credentials);
  const copyPrincipal = createShallowCopier(credentials.principal as object);
  return () => {
    const credentialsOfRequest = copy();
    credentialsOfRequest.principal = copyPrincipal();
    return credentialsOfRequest;
  };
}

/** Copies non-enumerable properties too: Backstage keeps the token in one. */
function createShallowCopier<T extends object>(original: T): () => T {
  const prototype = Object.getPrototypeOf(original);
  const hidden = Object.entries(
    Object.getOwnPropertyDescriptors(original),
  ).filter(([, { enumerable }]) => !enumerable);
  return () => {
    const copy = Object.assign(Object.create(prototype), original);
    for (const [name, descriptor] of hidden) {
      Object.defineProperty(copy, name, descriptor);
    }
    return copy;
  };
}
