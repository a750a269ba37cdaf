import { maxHeaderSize } from 'node:http';
import { serialize } from 'cookie';
import { times } from 'lodash';
import type { CookieSettings } from '../rules/GateSettings';
import {
  CookieNames,
  createCookieNames,
  readCookieNames,
  readCookies,
  readCookieValues,
} from '../read/cookieHeader';
import type { CookieToken } from '../read/readCredential';
import { Refusal } from '../Refusal';

// Browsers store at least this many bytes of one cookie: name, value and attributes (RFC 6265, section 6.1).
const MAX_COOKIE_BYTES = 4096;

/**
 * The longest token that a cookie may hold, in bytes. A token travels twice, as cookie and as bearer token, and Node refuses
 * headers over its limit before any code runs, so a browser with a larger cookie would be locked out for good. The rest of the
 * limit is left to all other headers.
 */
export const MAX_TOKEN_BYTES = Math.floor((maxHeaderSize - 4096) / 2);

// The gate recognises no more names than it issues: each cookie is cleared by headers of the answer, whose size a client must not
// control. A part holds at least 3500 bytes.
const MAX_PARTS = Math.max(4, Math.ceil(MAX_TOKEN_BYTES / 3500));

/**
 * The gate's cookie: the user token itself, whole under one name, or in parts `<name>.0`, `<name>.1`, … if it is too long for one
 * cookie.
 */
export class GateCookie {
  readonly #name: string;
  /** The names of the cookie and its parts, for searches in a `Cookie` header. */
  readonly names: CookieNames;
  readonly #attributes: CookieSettings['attributes'];
  /** How long the cookie lives at most; `Infinity` if it lives as long as its token. */
  readonly maxAgeMs: number;
  /** The domains that a cookie of this name may have had; `undefined` for a host-only cookie. */
  readonly #domains: (string | undefined)[];

  /** @param backendHost - the host of `backend.baseUrl`, which is the domain of the cookie in Backstage's tutorial */
  constructor(settings: CookieSettings, backendHost: string) {
    const { name, attributes, maxAgeMs = Infinity } = settings;
    this.#name = name;
    this.maxAgeMs = maxAgeMs;
    this.names = createCookieNames([
      name,
      ...times(MAX_PARTS, i => this.#partName(i)),
    ]);
    this.#attributes = attributes;
    const mayHaveDomain =
      !/^__host-/i.test(name) && /^[a-z0-9.-]+$/i.test(backendHost);
    this.#domains = [
      ...new Set([
        undefined,
        attributes.domain,
        mayHaveDomain ? backendHost : undefined,
      ]),
    ];
  }

  read(header: string | undefined): CookieToken {
    const values = readCookies(header, this.names);
    if (!values) {
      return Refusal.because('conflicting-cookies');
    }
    if (values.size === 0) {
      return undefined;
    }
    const whole = values.get(this.#name);
    const parts =
      whole === undefined
        ? times(values.size, i => values.get(this.#partName(i)))
        : [whole];
    return parts.length === values.size && !parts.includes(undefined)
      ? parts.join('')
      : Refusal.because('conflicting-cookies');
  }

  /** Returns the tokens of whole cookies, also where {@link GateCookie.read} finds a conflict: any of them may be of a session. */
  readWhole(header: string | undefined): string[] {
    return readCookieValues(header, this.names, this.#name);
  }

  /** Returns the end of a cookie that is set now, for a token that expires at this time in seconds since the epoch. */
  expiryFor(tokenExpiry: number): Date {
    return new Date(Math.min(tokenExpiry * 1000, Date.now() + this.maxAgeMs));
  }

  /**
   * Returns the `Set-Cookie` headers that set a token as the cookie. The headers of {@link GateCookie.clear} have to come before
   * them.
   *
   * @param token - a compact JWS, at most {@link MAX_TOKEN_BYTES} long
   * @param maxAgeMs - the life of a cookie that ends before its token
   */
  set(token: string, expires: Date, maxAgeMs?: number): string[] {
    const options = {
      ...this.#attributes,
      expires,
      // `Expires` depends on the browser's clock: a wrong one would end a short life at once, or extend it.
      maxAge: maxAgeMs && Math.floor(maxAgeMs / 1000),
      // A compact JWS needs no encoding, and an encoded part could exceed the limit.
      encode: String,
    };
    const whole = serialize(this.#name, token, options);
    if (whole.length <= MAX_COOKIE_BYTES) {
      return [whole];
    }
    // Leave room for the attributes, and for the two digits of a part's number.
    const size = MAX_COOKIE_BYTES - (whole.length - token.length) - 3;
    return times(Math.ceil(token.length / size), i => {
      const part = token.slice(i * size, (i + 1) * size);
      return serialize(this.#partName(i), part, options);
    });
  }

  /**
   * Returns the `Set-Cookie` headers that make the gate's cookies in a request expire, for every domain they may have.
   *
   * @param replaced - headers of {@link GateCookie.set} whose cookies take the place of those that the request has once. Default: none
   */
  clear(header: string | undefined, replaced: string[] = []): string[] {
    const names = readCookieNames(header, this.names);
    const isReplaced = (name: string) =>
      names.indexOf(name) === names.lastIndexOf(name) &&
      replaced.some(each => each.startsWith(`${name}=`));
    const stale = names.filter(name => !isReplaced(name));
    return [...new Set(stale)].flatMap(name =>
      this.#domains.map(domain =>
        serialize(name, '', {
          ...this.#attributes,
          domain,
          expires: new Date(0),
        }),
      ),
    );
  }

  #partName(i: number): string {
    return `${this.#name}.${i}`;
  }
}
