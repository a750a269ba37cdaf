import type {
  BackstageCredentials,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';

/**
 * What an issuer gets: a request that the gate has authenticated by a bearer token of a user.
 *
 * @public
 */
export interface CookieIssuerContext {
  /** The verified credentials: always a user, never one that a service acts for. */
  credentials: BackstageCredentials<BackstageUserPrincipal>;
  /** The verified user token as it was presented. */
  token: string;
  /** The request, with the cookies that it came with. Its handler has not run yet. */
  req: Request;
  /** The response, of which nothing has been written yet. */
  res: Response;
}

/**
 * Sets the cookie that authenticates a browser's own requests. Which name the gate reads, and who may pass, is not its
 * say: `auth.apiGate.cookie.name`, and a token that verifies.
 *
 * @public
 */
export interface CookieIssuer {
  /**
   * Called for each request that a user's bearer token has authenticated, before its handler runs; the request waits for
   * the promise, for three seconds at most. Public requests, `OPTIONS`, and service, limited and on-behalf-of tokens never get here;
   * nor does a request that another origin's page made, except at the cookie endpoint: browsers ignore `Set-Cookie` elsewhere.
   *
   * If it throws, or takes longer, that is logged, and the request goes on without a cookie.
   */
  issueCookie(context: CookieIssuerContext): void | Promise<void>;
}
