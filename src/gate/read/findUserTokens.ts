import type { IncomingMessage } from 'node:http';
import type { TokenKind } from '../Decision';
import type { GateServices } from '../GateServices';
import type { Policy } from '../rules/Policy';
import { readCookieValues } from './cookieHeader';
import {
  BACKSTAGE_AUTH_COOKIE,
  BACKSTAGE_AUTH_COOKIES,
} from './readCredential';

/** The part of a request in which tokens are looked for. */
interface Searched {
  req: IncomingMessage;
  policy: Policy;
  services: Pick<GateServices, 'cookie' | 'tokens'>;
}

// A request with more user tokens ends. An honest client has those of one or two sessions.
const MAX_TOKENS = 5;

// A request with more texts that look like a token ends: decoding takes time.
const MAX_TEXTS = 100;

/**
 * The ways in which a handler may cut a token out of a header: at the end of a parameter, at a space, at the end of a protocol, or not
 * at all. `signals` before 0.19 reads all protocols as one token.
 */
const CUTS = [/eyJ[^\s,;"]+/g, /eyJ\S+/g, /eyJ[^,]+/g, /eyJ.+/g];

/**
 * Returns all tokens of users in a request, whatever the gate reads there, with the kind of credential of each; `undefined` if there
 * are too many to look at.
 */
export function findUserTokens(
  request: Searched,
  withCookies: boolean,
): Map<string, TokenKind> | undefined {
  const { tokens } = request.services;
  const seen = new Set<string>();
  const found = new Map<string, TokenKind>();
  for (const [kind, value] of valuesIn(request, withCookies)) {
    for (const text of CUTS.flatMap(cut => value.match(cut) ?? [])) {
      const token = withPlainSignature(text);
      if (!seen.has(token) && tokens.read(token).userToken) {
        found.set(token, kind);
      }
      seen.add(token);
      if (seen.size > MAX_TEXTS || found.size > MAX_TOKENS) {
        return undefined;
      }
    }
  }
  return found;
}

/** Returns the values of headers and cookies in which a handler may read a token. */
function valuesIn(
  { policy, req, services }: Searched,
  withCookies: boolean,
): [TokenKind, string][] {
  const { credentialHeader } = policy.config;
  const names = ['authorization', 'sec-websocket-protocol'];
  const inHeaders = names.concat(credentialHeader ?? []).flatMap(name => [
    // Node keeps only the first of several `Authorization` headers here, and joins those of the protocols.
    req.headers[name] ?? [],
    req.headersDistinct?.[name] ?? [],
  ]);
  const { cookie } = withCookies ? req.headers : {};
  const own = services.cookie?.read(cookie);
  const inCookie = typeof own === 'string' ? [own] : [];
  const whole = services.cookie?.readWhole(cookie) ?? [];
  const stock = readCookieValues(
    cookie,
    BACKSTAGE_AUTH_COOKIES,
    BACKSTAGE_AUTH_COOKIE,
  );
  const as = (kind: TokenKind, values: string[]) =>
    values.map((value): [TokenKind, string] => [kind, value]);
  return [
    ...as('bearer', inHeaders.flat()),
    ...as('cookie', [...inCookie, ...whole]),
    ...as('user-cookie', stock),
  ];
}

/**
 * Returns a token with its signature as Backstage writes it. `jose` 5 (the legacy system, and releases before November 2026) skips
 * other characters in a signature, as this decoder of Node does; those of the other parts are signed.
 */
function withPlainSignature(token: string): string {
  const dot = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(dot), 'base64url');
  return token.slice(0, dot) + signature.toString('base64url');
}
