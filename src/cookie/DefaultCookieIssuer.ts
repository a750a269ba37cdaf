import type { IncomingMessage } from 'node:http';
import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Response } from 'express';
import onHeaders from 'on-headers';
import { removeTargetedCacheControl } from '../http/cacheControl';
import { pluginIdOf } from '../plugins/Plugins';
import type { GateObserver } from '../decision/GateObserver';
import type { ReadCookie } from '../credentials/readCredential';
import { decodeToken, sameSession, Token } from '../credentials/token';
import { RateLimit } from '../util/RateLimit';
import { MaybePromise, then } from '../util/then';
import type { CookieIssuerContext } from './CookieIssuer';
import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const WARN_AGAIN_AFTER_MS = 60 * 60 * 1000;

// The cookie is sent to a client that may be none to keep it this many times for one token.
const MAX_UNRETURNED = 10;

/** The arguments of the default issuer: those of every issuer, and what the gate knows of the token. */
interface TokenContext extends CookieIssuerContext {
  presented: Token;
  /** The changes with which the request goes on to its handler. */
  forwarded: { validators?: 'removed' };
}

/** A {@link CookieIssuer} that receives the gate's {@link Token}. */
export interface TokenCookieIssuer {
  issueCookie(context: TokenContext): MaybePromise<void>;
}

/** The services of the default issuer. */
interface IssuerServices {
  cookie: GateCookie;
  /** Returns whether a token is a valid user token whose session is not revoked. */
  verifies(token: string): Promise<boolean>;
  /** Returns whether the session of a token that has verified was revoked since. */
  isRevoked(token: Token): boolean;
  logger: LoggerService;
  observer: Pick<GateObserver, 'cookieIssued' | 'cookieNotIssued'>;
}

/** The default issuer, which keeps the gate's cookie at the token that the frontend uses. */
export class DefaultCookieIssuer implements TokenCookieIssuer {
  readonly #warnings = new RateLimit({
    max: 1,
    intervalMs: WARN_AGAIN_AFTER_MS,
  });

  constructor(private readonly services: IssuerServices) {}

  issueCookie(context: TokenContext): MaybePromise<void> {
    const { presented, req } = context;
    const present = this.services.cookie.read(req.headers.cookie);
    if (present.kind === 'none' && !keepsCookies(req, presented)) {
      return undefined;
    }
    if (holdsSession(present, presented)) {
      presented.sentCookies = 0;
      if (this.#isDue(presented)) {
        this.#issue(context);
      }
      return undefined;
    }
    return then(this.#isNewer(present, presented), isNewer => {
      if (isNewer) {
        presented.sentCookies = 0;
      } else {
        this.#issue(context);
      }
    });
  }

  /**
   * Returns whether a cookie that ends before its token is to be set again. The gate can't see the age of a cookie: a replica
   * renews one that it has not set, and its own after half of their life.
   */
  #isDue({ claims, renewCookieAt = 0 }: Token): boolean {
    const tokenLifeMs = (claims!.exp! - claims!.iat!) * 1000;
    return (
      this.services.cookie.maxAgeMs < tokenLifeMs &&
      performance.now() >= renewCookieAt
    );
  }

  /**
   * Returns whether the cookie is the same user's, newer, and verifies. The issuer keeps such a cookie: a second tab may still use
   * its older token, and must not replace the newer cookie.
   */
  #isNewer(present: ReadCookie, { claims }: Token): MaybePromise<boolean> {
    if (present.kind !== 'token') {
      return false;
    }
    const current = decodeToken(present.token);
    return (
      current?.sub === claims?.sub &&
      Number(current?.iat) > Number(claims?.iat) &&
      this.services.verifies(present.token)
    );
  }

  #issue(context: TokenContext): void {
    const { credentials, expires, forwarded, presented, req, res } = context;
    const { cookie, isRevoked, observer } = this.services;
    const { userEntityRef } = credentials.principal;
    const plugin = pluginIdOf(req);
    // Clear stale parts of an earlier cookie, and other users' cookies, in any case.
    const setCookies = cookie.clear(req.headers.cookie);
    const { text, claims } = presented;
    const endsWithToken = expires.getTime() === claims!.exp! * 1000;
    const isIssued = text.length <= MAX_TOKEN_BYTES;
    if (isIssued) {
      // A 304 sets no cookie, and a page that is polled may get nothing else for as long as the cookie lives.
      forwarded.validators = 'removed';
      const setCookie = endsWithToken
        ? (presented.setCookie ??= cookie.set(text, expires))
        : cookie.set(text, expires, cookie.maxAgeMs);
      setCookies.push(...setCookie);
    } else {
      this.#warnOfSize(userEntityRef, text.length);
      observer.cookieNotIssued('too-large');
    }
    if (setCookies.length > 0) {
      onHeaders(res, () => {
        // The request itself may have ended the session.
        const isSuccess = res.statusCode < 400 && res.statusCode !== 304;
        if (isSuccess && !isRevoked(presented)) {
          res.appendHeader('Set-Cookie', setCookies);
          if (isIssued) {
            presented.renewCookieAt = endsWithToken
              ? Infinity
              : performance.now() + cookie.maxAgeMs / 2;
            observer.cookieIssued(plugin, userEntityRef);
          }
          forbidStoring(res);
        }
      });
    }
  }

  #warnOfSize(user: string, size: number) {
    if (this.#warnings.take(user) === 0) {
      this.services.logger.warn(
        `API gate issues no cookie to ${user}: the token has ${size} bytes, and more than ${MAX_TOKEN_BYTES} do not fit into Node's limit of headers twice (raise it by --max-http-header-size)`,
      );
    }
  }
}

/** Returns whether the cookie of a request is of a token's session. */
function holdsSession(present: ReadCookie, { text, claims }: Token): boolean {
  if (present.kind !== 'token') {
    return false;
  }
  if (present.token === text) {
    return true;
  }
  const current = decodeToken(present.token);
  return !!current && !!claims && sameSession(current, claims);
}

/**
 * Overrides the handler's `Cache-Control`: a shared cache would send this user's cookie to other users. `no-transform` stays,
 * since event streams use it to keep the compression from holding their events back.
 */
function forbidStoring(res: Response) {
  const isNoTransform = /\bno-transform\b/i.test(
    String(res.getHeader('Cache-Control')),
  );
  res.setHeader(
    'Cache-Control',
    isNoTransform ? 'no-store, no-transform' : 'no-store',
  );
  removeTargetedCacheControl(res);
}

/**
 * Returns whether a client may keep cookies. A script with a user's token does not, and each `Set-Cookie` takes time, and makes
 * the answer one that nothing may store. Browsers send `Sec-Fetch-Site` on https and to localhost, and begin their `User-Agent`
 * by `Mozilla/`: they always get the cookie, also after they have cleared theirs. Any other client gets it a few times for one
 * token, until it sends the cookie back.
 */
function keepsCookies({ headers }: IncomingMessage, token: Token): boolean {
  if (
    headers['sec-fetch-site'] !== undefined ||
    headers['user-agent']?.startsWith('Mozilla/')
  ) {
    return true;
  }
  token.sentCookies += 1;
  return token.sentCookies <= MAX_UNRETURNED;
}
