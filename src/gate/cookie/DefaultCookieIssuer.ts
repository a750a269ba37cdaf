import type { IncomingMessage } from 'node:http';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { pluginIdOf } from '../read/mountedRequest';
import type { GateObserver } from '../GateObserver';
import type { CookieToken } from '../read/readCredential';
import { decodeToken, sameSession, Token } from '../read/token';
import { Refusal } from '../Refusal';
import { RateLimit } from '../util/RateLimit';
import type {
  CookieIssuerContext,
  GateCookieIssuer,
  IssuedCookie,
} from './CookieIssuer';
import { GateCookie, MAX_TOKEN_BYTES } from './GateCookie';

const HOUR_MS = 60 * 60 * 1000;

// How often, for one token, the cookie is sent to a client that may not store cookies.
const MAX_UNRETURNED = 10;

/** The default issuer, which keeps the gate's cookie at the token that the frontend uses. */
export class DefaultCookieIssuer implements GateCookieIssuer {
  readonly #warnings = new RateLimit({ max: 1, intervalMs: HOUR_MS });

  constructor(
    private readonly services: {
      cookie: GateCookie;
      /** Returns whether a token is a valid user token whose session is not revoked. */
      verifies(token: string): Promise<boolean>;
      /** Returns whether the session of a token that has verified was revoked since. */
      isRevoked(token: Token): boolean;
      logger: LoggerService;
      observer: Pick<GateObserver, 'cookieIssued'>;
    },
  ) {}

  isSettled(req: IncomingMessage, token: Token): boolean {
    const present = this.services.cookie.read(req.headers.cookie);
    if (present === undefined) {
      return !keepsCookies(req, token);
    }
    if (present instanceof Refusal || !holdsSession(present, token)) {
      return false;
    }
    token.sentCookies = 0;
    return !this.#isDue(token);
  }

  async issueCookie(
    context: CookieIssuerContext,
    token: Token,
  ): Promise<IssuedCookie | undefined> {
    const present = this.services.cookie.read(context.req.headers.cookie);
    if (typeof present === 'string' && (await this.#isNewer(present, token))) {
      token.sentCookies = 0;
      return undefined;
    }
    return this.#issue(context, token, present);
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
  async #isNewer(present: string, { claims }: Token): Promise<boolean> {
    const current = decodeToken(present);
    return (
      current?.sub === claims?.sub &&
      Number(current?.iat) > Number(claims?.iat) &&
      this.services.verifies(present)
    );
  }

  #issue(
    { credentials, expires, req }: CookieIssuerContext,
    token: Token,
    present: CookieToken,
  ): IssuedCookie {
    const { services } = this;
    const { cookie, observer } = services;
    const { userEntityRef } = credentials.principal;
    const plugin = pluginIdOf(req);
    const { cookie: header } = req.headers;
    const { text, claims } = token;
    const isRevoked = () => services.isRevoked(token);
    if (text.length > MAX_TOKEN_BYTES) {
      // No answer to this token sets a cookie that could be counted.
      token.sentCookies += 1;
      this.#warnOfSize(userEntityRef, text.length);
      const setCookies = cookie.clear(header);
      return { setCookies, isRevoked, isIssued: false, onSent: () => {} };
    }
    const endsWithToken = expires.getTime() === claims!.exp! * 1000;
    const maxAgeMs = endsWithToken ? undefined : cookie.maxAgeMs;
    const setCookie = cookie.set(text, expires, maxAgeMs);
    // The new cookie takes the place of the same user's former one, so that nothing has to be cleared. If that one has a domain, as
    // the tutorial's, both stay, and the next answer clears them: the request then has the name twice.
    const isRenewal =
      typeof present === 'string' && decodeToken(present)?.sub === claims!.sub;
    const stale = cookie.clear(header, isRenewal ? setCookie : []);
    return {
      setCookies: [...stale, ...setCookie],
      isRevoked,
      isIssued: true,
      onSent: () => {
        token.sentCookies += 1;
        token.renewCookieAt = endsWithToken
          ? Infinity
          : performance.now() + cookie.maxAgeMs / 2;
        observer.cookieIssued(plugin, userEntityRef);
      },
    };
  }

  #warnOfSize(user: string, size: number) {
    if (this.#warnings.take(user) === 0) {
      this.services.logger.warn(
        `API gate issues no cookie to ${user}: the token has ${size} bytes, and more than ${MAX_TOKEN_BYTES} do not fit into Node's limit of headers twice (raise it by --max-http-header-size)`,
      );
    }
  }
}

function holdsSession(present: string, { text, claims }: Token): boolean {
  if (present === text) {
    return true;
  }
  const current = decodeToken(present);
  return !!current && !!claims && sameSession(current, claims);
}

/**
 * Returns whether a client may keep cookies. A script with a user's token does not, and each `Set-Cookie` takes time, and makes
 * the answer one that nothing may store. Browsers send `Sec-Fetch-Site` on https and to localhost, and begin their `User-Agent`
 * by `Mozilla/`: they always get the cookie, also after they have cleared theirs. Any other client gets it a few times for one
 * token, until it sends the cookie back.
 */
function keepsCookies({ headers }: IncomingMessage, token: Token): boolean {
  return (
    headers['sec-fetch-site'] !== undefined ||
    Boolean(headers['user-agent']?.startsWith('Mozilla/')) ||
    token.sentCookies < MAX_UNRETURNED
  );
}
