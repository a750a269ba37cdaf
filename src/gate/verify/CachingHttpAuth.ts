import type {
  BackstageCredentials,
  BackstagePrincipalTypes,
  HttpAuthService,
} from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import type { VerifiedToken } from '../judge/findRefused';
import { Token, tokenOf } from '../read/token';
import type { TokenCache } from './TokenCache';

type Recalled = VerifiedToken['credentials'];

/**
 * Backstage's own `httpAuth` of a plugin over an `auth` that caches. It recalls a cached token for the gate without a promise,
 * and gives the credentials that it has recalled for a request to the credentials barrier and the handlers behind the gate.
 */
export class CachingHttpAuth implements HttpAuthService {
  readonly #recalled = new WeakMap<
    Request,
    { text: string; credentials: Recalled }
  >();

  /** @param httpAuth - authenticates with an `auth` that {@link TokenCache.wrap} has wrapped */
  constructor(
    private readonly httpAuth: HttpAuthService,
    private readonly tokens: TokenCache,
    private readonly pluginId: string,
  ) {}

  /** Returns the credentials of a token, and keeps them for its request, if the cache has the token for this plugin. */
  recall(req: Request, token: Token): Recalled | undefined {
    const credentials = this.tokens.recall(token, this.pluginId) as
      Recalled | undefined;
    if (credentials) {
      this.#recalled.set(req, { text: token.text, credentials });
    }
    return credentials;
  }

  credentials<TAllowed extends keyof BackstagePrincipalTypes = 'unknown'>(
    req: Request,
    options?: { allow?: TAllowed[]; allowLimitedAccess?: boolean },
  ): Promise<BackstageCredentials<BackstagePrincipalTypes[TAllowed]>> {
    const recalled = this.#recalled.get(req);
    const allow: string[] | undefined = options?.allow;
    // Compare the token: a handler may have replaced the header, and gets the credentials of the token that is there now.
    // Backstage's service decides about limited access, and makes the errors.
    return recalled &&
      !options?.allowLimitedAccess &&
      (!allow || allow.includes(recalled.credentials.principal.type)) &&
      tokenOf(req) === recalled.text
      ? Promise.resolve(recalled.credentials as BackstageCredentials<any>)
      : this.httpAuth.credentials(req, options);
  }

  issueUserCookie: HttpAuthService['issueUserCookie'] = (res, options) =>
    this.httpAuth.issueUserCookie(res, options);
}
