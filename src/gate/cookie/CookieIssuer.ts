import type {
  BackstageCredentials,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import type { Request, Response } from 'express';
import type { Token } from '../read/token';

/**
 * The arguments of an issuer, for a request that the gate has authenticated by a user's bearer token.
 *
 * @public
 */
export interface CookieIssuerContext {
  /** The verified credentials of a user, never of a service that acts for one. */
  credentials: BackstageCredentials<BackstageUserPrincipal>;
  /** The verified user token as it was presented. */
  token: string;
  /** The time at which the cookie is to end: the token's, or earlier by `auth.apiGate.cookie.maxAge`. */
  expires: Date;
  /** The request, with the cookies that the browser sent. Its handler has not run yet. */
  req: Request;
  /** The response, to which nothing has been written yet. */
  res: Response;
}

/**
 * Sets the cookie that authenticates a browser's own requests. The name of the cookie that the gate reads remains
 * `auth.apiGate.cookie.name`, and the gate verifies the token of each request.
 *
 * @public
 */
export interface CookieIssuer {
  /**
   * Called for each request that a user's bearer token has authenticated, before its handler runs. The request waits for the
   * promise, for three seconds at most. The gate does not call the issuer for public requests, for `OPTIONS`, for service,
   * limited and on-behalf-of tokens, nor for a request from another origin's page, except at the cookie endpoint: browsers ignore
   * `Set-Cookie` elsewhere. Behind the gateway, only the gate in front calls its issuer.
   *
   * If the issuer throws, or takes longer, the gate logs that, and the request continues without a cookie.
   */
  issueCookie(context: CookieIssuerContext): void | Promise<void>;
}

/** The cookie of an answer. It is set if the request succeeds, and if its session was not revoked since. */
export interface IssuedCookie {
  setCookies: string[];
  /** Whether the headers set a cookie, and do not only clear others. */
  isIssued: boolean;
  isRevoked(): boolean;
  onSent(): void;
}

/** An issuer as the gate calls it: the default one, or an adopter's, which sets its headers itself. */
export interface GateCookieIssuer {
  /** Whether there is nothing to set for a request, so that the issuer is not called. Default: it is called. */
  isSettled?(req: Request, token: Token): boolean;
  issueCookie(
    context: CookieIssuerContext,
    token: Token,
  ): Promise<IssuedCookie | undefined>;
}
