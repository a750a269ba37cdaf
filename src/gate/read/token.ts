import { hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { BackstageCredentials } from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { isNumber, isString } from 'lodash';
import type { CredentialKind } from '../Decision';
import type { Refusal } from '../Refusal';
import type { SessionClaims } from '../sessions/Revocation';

/** The claims of a token that is not verified. They may decide which check to make, never that a request passes. */
export interface DecodedToken {
  /** `typ` of the header; `undefined` for tokens of Backstage before 1.24. */
  typ?: string;
  /** The id of the key in the header. */
  kid?: string;
  sub?: string;
  iss?: string;
  aud?: string | string[];
  /** Seconds since the epoch, like `exp`. */
  iat?: number;
  exp?: number;
  /** Entities that the user owns. */
  ent?: string[];
  /** The limited user token that a service token carries when it acts for a user. */
  obo?: DecodedToken;
}

/** The credentials that Backstage has made of a token for one plugin. */
export interface Verdict {
  /** The key that `TokenCache` gives: the id of the plugin, if the token gives full access. */
  key: string;
  /** Each request gets a copy of them. */
  credentials: BackstageCredentials;
  /** The end of the verdict by `performance.now()`, which does not follow changes of the clock. An integer below 2^31 takes no memory of its own. */
  keptUntil: number;
}

/** A token as a request has presented it. Its fields are few and small: 20,000 tokens may be remembered. */
export class Token {
  /** The claims; `undefined` for text that is no JWT. */
  readonly claims: DecodedToken | undefined;
  /** The claims of the user's own token: this one, or the one that a service token carries. */
  readonly userToken: DecodedToken | undefined;
  /** The claims that identify the session of the user's own token. The gate accepts no user token without them. */
  readonly session: SessionClaims | undefined;
  /**
   * Whether the token has only the characters of a compact JWS (RFC 7515, section 7.1). Some verifiers skip other characters
   * (`jose` 5 does, of the legacy system and of releases before November 2026), so a valid token may be followed by any number of
   * them.
   */
  readonly isCompact: boolean;
  /** The verdicts of plugins. A token that has not verified has none. A list takes a sixth of the memory of a map. */
  verdicts: readonly Verdict[] = [];
  /** When the browser's cookie is to be set again, by `performance.now()`; `undefined` if this replica has not set it. */
  renewCookieAt: number | undefined;
  /** The number of times that the cookie was sent to clients that have not returned it. */
  sentCookies = 0;

  constructor(readonly text: string) {
    this.claims = decodeToken(text);
    this.userToken = this.claims && effectiveUserToken(this.claims);
    this.session = sessionOf(this.userToken);
    this.isCompact = /^[\w.-]+$/.test(text);
  }

  /** The SHA-256 of the text in base64, by which caches refer to tokens that have not verified. */
  get digest(): string {
    return hash('sha256', this.text, 'base64');
  }
}

/**
 * What a token is there for.
 *
 * - `authenticates`: the request passes by it
 * - `may be read`: a handler that needs no credential may read it, and Backstage's cookie endpoint may renew it
 * - `goes elsewhere`: the handler would send it to another server, so that it is refused
 * - `signs out`: its session is to be revoked
 */
export type Role =
  'authenticates' | 'may be read' | 'goes elsewhere' | 'signs out';

/** A token that a request presents, or what the request has in the place of a token. */
export interface PresentedToken {
  role: Role;
  /** `none`: a token is missing, or has too many values. */
  kind: CredentialKind;
  /** `undefined`: `refused` says why. */
  token: Token | undefined;
  /** The refusal that follows from the request alone, whatever the token is. */
  refused: Refusal | undefined;
  /** The offered protocol of a WebSocket that holds the token. */
  authProtocol?: string;
}

function sessionOf(token: DecodedToken | undefined): SessionClaims | undefined {
  const { sub, iat, exp } = token ?? {};
  return sub !== undefined && iat !== undefined && exp !== undefined
    ? { sub, iat, exp }
    : undefined;
}

/** Reads a JWT without verifying it. Returns `undefined` for any other text, such as a static external token. */
export function decodeToken(token: string): DecodedToken | undefined {
  // Skip text that is no JWT: decoding it would throw, which is slow.
  if (token.split('.', 4).length !== 3) {
    return undefined;
  }
  try {
    const { typ, kid } = decodeProtectedHeader(token);
    const { sub, iss, aud, iat, exp, ent, obo } = decodeJwt(token);
    return {
      typ: isString(typ) ? typ : undefined,
      kid: isString(kid) ? kid : undefined,
      sub: isString(sub) ? sub : undefined,
      iss: isString(iss) ? iss : undefined,
      aud,
      iat: isNumber(iat) ? iat : undefined,
      exp: isNumber(exp) ? exp : undefined,
      // `filter` returns an array with room for 17, and `map` one that fits. A user owns itself: this text is kept once.
      ent: Array.isArray(ent)
        ? ent.filter(isString).map(each => (each === sub ? sub : each))
        : undefined,
      obo: isString(obo) ? decodeToken(obo) : undefined,
    };
  } catch {
    return undefined;
  }
}

/** Returns the user token behind a decoded token: the token itself, or the one that a service token carries. */
export function effectiveUserToken(
  token: DecodedToken,
): DecodedToken | undefined {
  if (token.typ === tokenTypes.plugin.typParam) {
    return token.obo;
  }
  return isUserToken(token) ? token : undefined;
}

/**
 * Returns whether a Backstage token has expired. The expiry of other tokens is up to their verifier.
 *
 * @param now - in milliseconds since 1970
 */
export function isExpired(token: DecodedToken, now: number): boolean {
  return (
    (token.typ === tokenTypes.plugin.typParam || isUserToken(token)) &&
    isPast(token.exp, now)
  );
}

/** Returns whether a time in seconds since 1970 has passed. */
export function isPast(seconds: number | undefined, now: number): boolean {
  return seconds !== undefined && seconds * 1000 <= now;
}

/** Returns whether a text has the claims of a token that Backstage issues: that of a user, or one of its types. */
export function claimsBackstage(text: string): boolean {
  const claims = decodeToken(text);
  return (
    claims !== undefined &&
    (claims.typ?.startsWith('vnd.backstage.') || isUserToken(claims))
  );
}

function isUserToken({ typ, aud }: DecodedToken): boolean {
  return (
    typ === tokenTypes.user.typParam ||
    typ === tokenTypes.limitedUser.typParam ||
    aud === tokenTypes.user.audClaim
  );
}

/** Returns whether two tokens are of one sign-in: same user, issued and expiring in the same second. */
export function sameSession(a: DecodedToken, b: DecodedToken): boolean {
  return a.sub === b.sub && a.iat === b.iat && a.exp === b.exp;
}

/** Returns the bearer token of a request, if its `Authorization` holds one (RFC 6750, section 2.1). */
export function readBearer({ headers }: IncomingMessage): string | undefined {
  return headers.authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

/** The tokens of requests whose `Authorization` does not hold them. */
const boundTokens = new WeakMap<object, string>();

/**
 * Makes a token the one that `httpAuth` reads in a request, whatever `Authorization` holds; `undefined` makes it read that header,
 * as a handler may have a request decided a second time.
 */
export function bindToken(req: object, token: string | undefined): void {
  if (token === undefined) {
    boundTokens.delete(req);
  } else {
    boundTokens.set(req, token);
  }
}

/** Returns the token of a request behind the gate: the bound one, or that in `Authorization`. */
export function tokenOf(req: IncomingMessage): string | undefined {
  return boundTokens.get(req) ?? readBearer(req);
}
