import type { LoggerService } from '@backstage/backend-plugin-api';
import { LRUCache } from 'lru-cache';
import onHeaders from 'on-headers';
import { pluginIdOf } from '../Plugins';
import type { GateObserver } from '../report/GateObserver';
import { DecodedToken, decodeToken, sameSession } from '../request/token';
import type { CookieIssuer } from './CookieIssuer';
import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const WARN_AGAIN_AFTER_MS = 60 * 60 * 1000;
const MAX_WARNED_USERS = 1000;

/**
 * The default issuer: keeps the gate's cookie at the token that the frontend uses.
 *
 * @param options.verifies - whether a token is a valid one of a user, and not revoked
 */
export function createCookieIssuer(options: {
  cookie: GateCookie;
  verifies: (token: string) => Promise<boolean>;
  logger: LoggerService;
  observer: Pick<GateObserver, 'cookieIssued' | 'cookieNotIssued'>;
}): CookieIssuer {
  const { cookie, verifies, logger, observer } = options;
  const warnedUsers = new LRUCache<string, true>({
    max: MAX_WARNED_USERS,
    ttl: WARN_AGAIN_AFTER_MS,
  });

  // Another user's or an older cookie is replaced. One that claims to be newer is kept if it is what it claims: a second
  // tab may still use its older token, and must not take the newer cookie away.
  async function isUpToDate(
    presented: DecodedToken,
    header: string | undefined,
  ): Promise<boolean> {
    const present = cookie.read(header);
    const current =
      present.kind === 'token' ? decodeToken(present.token) : undefined;
    if (present.kind !== 'token' || !current) {
      return false;
    }
    if (sameSession(current, presented)) {
      return true;
    }
    const claimsToBeNewer =
      current.sub === presented.sub &&
      Number(current.iat) > Number(presented.iat);
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

  return {
    async issueCookie({ credentials, token, req, res }) {
      const { userEntityRef } = credentials.principal;
      const plugin = pluginIdOf(req);
      const header = req.headers.cookie;
      const presented = decodeToken(token);
      const expires = new Date(Number(presented?.exp) * 1000);
      if (
        !presented ||
        Number.isNaN(expires.getTime()) ||
        (await isUpToDate(presented, header))
      ) {
        return;
      }
      let setCookies: string[];
      const isIssued = token.length <= MAX_TOKEN_BYTES;
      if (!isIssued) {
        warnOfSize(userEntityRef, token.length);
        observer.cookieNotIssued('too-large');
        // Not another user's either.
        setCookies = cookie.clear(header);
      } else {
        setCookies = cookie.set(token, expires, header);
      }
      if (setCookies.length > 0) {
        onHeaders(res, () => {
          if (res.statusCode < 400 && res.statusCode !== 304) {
            res.append('Set-Cookie', setCookies);
            if (isIssued) {
              observer.cookieIssued(plugin, userEntityRef);
            }
            // Over what the handler said: a shared cache would hand this user's cookie to the next one.
            res.setHeader('Cache-Control', 'no-store');
          }
        });
      }
    },
  };
}
