import type { IncomingMessage } from 'node:http';
import { Refusal } from '../decision/Refusal';
import { readProtocols } from './readProtocols';
import { decodeToken } from './token';
import { CookieReader, readCredential } from './readCredential';
import { assertToken } from './assertToken';
import type { PresentedToken } from './verifyCredential';

// As many as Backstage tries.
const MAX_TOKENS = 5;

/** A token with which a handshake may be authenticated. */
export type UpgradeToken = PresentedToken & {
  /** The offered protocol that it is. */
  authProtocol?: string;
};

/**
 * What a WebSocket handshake may be authenticated by, in the order in which it is tried. A page's script can set no header
 * but `Sec-WebSocket-Protocol`, so that Backstage's frontends send the token there.
 *
 * - each offered protocol, then the bearer token, as Backstage does: which protocols are tokens can't be told, as external
 *   ones are any text
 * - the gate's cookie, if there is no `Authorization` and no offered protocol is a JWT: a token that fails is not made
 *   good by a cookie, and a page that offers a protocol such as `graphql-ws` can use its cookie
 *
 * @throws Refusal if there is none, or more than one value where there must be one
 */
export function readUpgradeTokens(
  req: IncomingMessage,
  cookie: CookieReader | undefined,
): UpgradeToken[] {
  const credential = readCredential(req, {
    cookie,
    acceptsUserCookie: () => false,
  });
  const protocols = readProtocols(req);
  if (protocols.length === 0 || credential.kind === 'repeated-authorization') {
    return [assertToken(credential)];
  }
  const tokens: UpgradeToken[] = protocols.map(token => ({
    kind: 'bearer',
    token,
    authProtocol: token,
  }));
  if (credential.kind === 'bearer') {
    tokens.push(credential);
  }
  assertFew(tokens);
  if (credential.kind === 'cookie' && !protocols.some(decodeToken)) {
    tokens.push(credential);
  }
  return tokens;
}

/** @throws Refusal if more tokens are offered than Backstage tries: each costs */
export function assertFew(tokens: unknown[]): void {
  if (tokens.length > MAX_TOKENS) {
    throw Refusal.tooManyTokens;
  }
}
