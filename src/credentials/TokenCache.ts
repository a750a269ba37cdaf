import type {
  AuthService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';
import { withTimeout } from '../util/withTimeout';
import { decodeToken, effectiveUserToken } from './token';
import { digestOf } from './digestOf';
import { withAuthenticate } from './withAuthenticate';

// About 2.5 KB each, since the credentials of a user hold the token: 10 MB at most, with what `DecodedTokens` keeps.
const MAX_TOKENS = 2_000;
const MAX_TOKEN_CHARACTERS = 3_000_000;
/**
 * For the keys of two issuers, at Backstage's own 5 s each. Before backend-defaults 0.19 it waits without end for one that
 * goes silent after its headers, and all that ask for the same token would with it.
 */
const VERIFY_TIMEOUT_MS = 11_000;

interface Verified {
  /** Makes credentials for one request. */
  copy: () => BackstageCredentials;
  /** Milliseconds since the epoch. */
  until: number;
}

/**
 * Remembers tokens that Backstage has verified, so that the same one is not verified again with each request. Failures are
 * not remembered, nor whether the session has ended or a request is cross-site. That a key or an external token was withdrawn
 * is noticed after the time to live.
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

  /** A plugin's `auth` that remembers whom it has authenticated. */
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
    // A copy: a token cut out of a `Cookie` header would keep all of that header in memory.
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

/** Milliseconds since the epoch at which a token, or the user's token that it carries, expires; `Infinity` without expiry. */
function expiryOf(token: string): number {
  const decoded = decodeToken(token);
  const expiries = [decoded?.exp, decoded && effectiveUserToken(decoded)?.exp];
  return (
    Math.min(...expiries.map(exp => (exp === undefined ? Infinity : exp))) *
    1000
  );
}

/** Makes credentials for one request after the other: what a handler does to them stays with that request. */
function createCopier(credentials: BackstageCredentials) {
  const copy = createShallowCopier(credentials);
  const copyPrincipal = createShallowCopier(credentials.principal as object);
  return () => {
    const credentialsOfRequest = copy();
    credentialsOfRequest.principal = copyPrincipal();
    return credentialsOfRequest;
  };
}

/** Copies what is not enumerable too: Backstage keeps the token there. */
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
