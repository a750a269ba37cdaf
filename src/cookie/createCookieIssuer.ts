import type { LoggerService } from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';
import onHeaders from 'on-headers';
import { pluginIdOf } from '../plugins/Plugins';
import type { GateObserver } from '../decision/GateObserver';
import { DecodedToken, decodeToken, sameSession } from '../credentials/token';
import type { CookieIssuerContext } from './CookieIssuer';
import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const WARN_AGAIN_AFTER_MS = 60 * 60 * 1000;
const MAX_WARNED_USERS = 1000;

/** The arguments of the default issuer: those of every issuer, and the decoded token. */
interface DecodedContext extends CookieIssuerContext {
  decoded: DecodedToken;
}

/** A {@link CookieIssuer} that receives the decoded token. */
export interface DecodedCookieIssuer {
  issueCookie(context: DecodedContext): void | Promise<void>;
}

/**
 * Creates the default issuer, which keeps the gate's cookie at the token that the frontend uses.
 *
 * @param options.verifies - returns whether a token is a valid user token whose session is not revoked
 */
export function createCookieIssuer(options: {
  cookie: GateCookie;
  verifies: (token: string) => Promise<boolean>;
  logger: LoggerService;
  observer: Pick<GateObserver, 'cookieIssued' | 'cookieNotIssued'>;
}): DecodedCookieIssuer {
  const { cookie, verifies, logger, observer } = options;
  const warnedUsers = new LRUCache<string, true>({
    max: MAX_WARNED_USERS,
    ttl: WARN_AGAIN_AFTER_MS,
  });
  const ready = new WeakMap<DecodedToken, string[]>();

  // The issuer replaces another user's cookie and an older one. It keeps a newer cookie if that verifies: a second tab may still
  // use its older token, and must not replace the newer cookie.
  function isUpToDate(
    token: string,
    decoded: DecodedToken,
    header: string | undefined,
  ): boolean | Promise<boolean> {
    const present = cookie.read(header);
    if (present.kind !== 'token') {
      return false;
    }
    if (present.token === token) {
      return true;
    }
    const current = decodeToken(present.token);
    if (!current) {
      return false;
    }
    if (sameSession(current, decoded)) {
      return true;
    }
    const claimsToBeNewer =
      current.sub === decoded.sub && Number(current.iat) > Number(decoded.iat);
    return claimsToBeNewer && verifies(present.token);
  }

  function warnOfSize(user: string, size: number) {
    if (!warnedUsers.has(user)) {
      warnedUsers.set(user, true);
      logger.warn(
        `API gate issues no cookie to ${user}: the token has ${size} bytes, and more than ${MAX_TOKEN_BYTES} do not fit into Node's limit of headers twice (raise it by --max-http-header-size)`,
      );
    }
  }

  /** Returns the headers that set the cookie, and caches them per decoded token. */
  function headersOf(token: string, decoded: DecodedToken): string[] {
    let headers = ready.get(decoded);
    if (!headers) {
      headers = cookie.set(token, new Date(decoded.exp! * 1000));
      ready.set(decoded, headers);
    }
    return headers;
  }

  function issue({ credentials, token, decoded, req, res }: DecodedContext) {
    const { userEntityRef } = credentials.principal;
    const plugin = pluginIdOf(req);
    // Clear stale parts of an earlier cookie, and other users' cookies, in any case.
    const setCookies = cookie.clear(req.headers.cookie);
    const isIssued = token.length <= MAX_TOKEN_BYTES;
    if (isIssued) {
      setCookies.push(...headersOf(token, decoded));
    } else {
      warnOfSize(userEntityRef, token.length);
      observer.cookieNotIssued('too-large');
    }
    if (setCookies.length > 0) {
      onHeaders(res, () => {
        if (res.statusCode < 400 && res.statusCode !== 304) {
          res.appendHeader('Set-Cookie', setCookies);
          if (isIssued) {
            observer.cookieIssued(plugin, userEntityRef);
          }
          // Override the handler's header: a shared cache would send this user's cookie to other users. `no-transform` stays,
          // since event streams use it to keep the compression from holding their events back.
          const isNoTransform = /\bno-transform\b/i.test(
            String(res.getHeader('Cache-Control')),
          );
          res.setHeader(
            'Cache-Control',
            isNoTransform ? 'no-store, no-transform' : 'no-store',
          );
        }
      });
    }
  }

  return {
    async issueCookie(context) {
      const { token, decoded, req } = context;
      if (!(await isUpToDate(token, decoded, req.headers.cookie))) {
        issue(context);
      }
    },
  };
}
