import { serialize } from 'cookie';
import onHeaders from 'on-headers';
import type { CookieSettings } from '../config/CookieSettings';
import { decodeToken, sameSession } from '../request/token';
import { readCookie } from './cookieHeader';
import type { CookieIssuer } from './CookieIssuer';

/**
 * The default issuer: keeps the gate's cookie at the token that the frontend uses.
 *
 * @param options.verifies - whether a token is a valid one of a user
 */
export function createCookieIssuer(options: {
  cookie: CookieSettings;
  verifies: (token: string) => Promise<boolean>;
}): CookieIssuer {
  const { cookie, verifies } = options;

  // Another user's or an older cookie is replaced. One that claims to be newer is kept if it is what it claims: a second
  // tab may still use its older token, and must not take the newer cookie away.
  async function isDue(token: string, header: string | undefined) {
    const presented = decodeToken(token);
    if (!presented?.exp) {
      return undefined;
    }
    const present = readCookie(header, cookie.name);
    if (present && !present.conflicting) {
      const current = decodeToken(present.value);
      if (current && sameSession(current, presented)) {
        return undefined;
      }
      const claimsToBeNewer =
        current?.sub === presented.sub &&
        Number(current?.iat) > Number(presented.iat);
      if (claimsToBeNewer && (await verifies(present.value))) {
        return undefined;
      }
    }
    return new Date(presented.exp * 1000);
  }

  return {
    async issueCookie({ token, req, res }) {
      const expires = await isDue(token, req.headers.cookie);
      if (!expires) {
        return;
      }
      const setCookie = serialize(cookie.name, token, {
        ...cookie.attributes,
        expires,
      });
      onHeaders(res, () => {
        if (res.statusCode < 400 && res.statusCode !== 304) {
          res.append('Set-Cookie', setCookie);
          // Over what the handler said: a shared cache would hand this user's cookie to the next one.
          res.setHeader('Cache-Control', 'no-store');
        }
      });
    },
  };
}
