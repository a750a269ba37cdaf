import { createHash } from 'node:crypto';
import type {
  AuthService,
  BackstageCredentials,
} from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';
import { decodeToken, userTokenOf } from '../request/token';

// About 2 KB each, at most: the credentials of a user hold the token.
const MAX_TOKENS = 4_000;
const MAX_TOKEN_CHARACTERS = 4_000_000;

interface Verified {
  credentials: BackstageCredentials;
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
  readonly #pending = new Map<string, Promise<BackstageCredentials>>();

  constructor(options: { ttlMs: number }) {
    this.#ttlMs = options.ttlMs;
  }

  /** A plugin's `auth` that remembers whom it has authenticated; it is the same in all else. */
  wrap(auth: AuthService, pluginId: string): AuthService {
    return {
      authenticate: (token, options) =>
        this.#authenticate(auth, pluginId, token, options),
      getLimitedUserToken: credentials => auth.getLimitedUserToken(credentials),
      getNoneCredentials: () => auth.getNoneCredentials(),
      getOwnServiceCredentials: () => auth.getOwnServiceCredentials(),
      getPluginRequestToken: options => auth.getPluginRequestToken(options),
      isPrincipal: auth.isPrincipal.bind(auth) as AuthService['isPrincipal'],
      listPublicServiceKeys: () => auth.listPublicServiceKeys(),
    };
  }

  async #authenticate(
    auth: AuthService,
    pluginId: string,
    token: string,
    options?: { allowLimitedAccess?: boolean },
  ): Promise<BackstageCredentials> {
    // A digest: the tokens themselves are no keys.
    const digest = createHash('sha256').update(token).digest('base64');
    const key = `${pluginId} ${Boolean(options?.allowLimitedAccess)} ${digest}`;
    const known = this.#verified.get(key);
    if (known && known.until > Date.now()) {
      return copyOf(known.credentials);
    }
    let pending = this.#pending.get(key);
    if (!pending) {
      pending = this.#verify(auth, key, token, options).finally(() =>
        this.#pending.delete(key),
      );
      this.#pending.set(key, pending);
    }
    return copyOf(await pending);
  }

  async #verify(
    auth: AuthService,
    key: string,
    token: string,
    options?: { allowLimitedAccess?: boolean },
  ): Promise<BackstageCredentials> {
    // A copy: a token cut out of a `Cookie` header would keep all of that header in memory.
    const own = Buffer.from(token).toString();
    const credentials = await auth.authenticate(own, options);
    this.#verified.set(
      key,
      {
        credentials,
        until: Math.min(expiryOf(token), Date.now() + this.#ttlMs),
      },
      { size: token.length },
    );
    return credentials;
  }
}

/** Milliseconds since the epoch at which a token, or the user's token that it carries, expires; `Infinity` without expiry. */
function expiryOf(token: string): number {
  const decoded = decodeToken(token);
  const expiries = [decoded?.exp, decoded && userTokenOf(decoded)?.exp];
  return (
    Math.min(...expiries.map(exp => (exp === undefined ? Infinity : exp))) *
    1000
  );
}

/** For one request: what a handler does to it stays with that request. What Backstage keeps in it is not enumerable. */
function copyOf(credentials: BackstageCredentials): BackstageCredentials {
  const copy = cloneShallow(credentials);
  copy.principal = cloneShallow(credentials.principal as object);
  return copy;
}

function cloneShallow<T extends object>(object: T): T {
  return Object.create(
    Object.getPrototypeOf(object),
    Object.getOwnPropertyDescriptors(object),
  );
}
