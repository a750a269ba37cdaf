import type { IncomingMessage } from 'node:http';
import { Refusal } from '../decision/Refusal';
import { readProtocols } from './readProtocols';
import { decodeToken } from './token';
import { CookieReader, readCredential } from './readCredential';
import { assertToken } from './assertToken';
import type { PresentedToken } from './verifyCredential';

// Backstage tries the same number of tokens.
const MAX_TOKENS = 5;

/** A token that may authenticate a handshake. */
export type UpgradeToken = PresentedToken & {
  /** The offered protocol that holds the token. */
  authProtocol?: string;
};

/**
 * Returns the tokens that may authenticate a WebSocket handshake, in the order in which the gate tries them. A page's script can
 * set no header but `Sec-WebSocket-Protocol`, so Backstage's frontends send the token there.
 *
 * - each offered protocol, then the bearer token, as in Backstage: external tokens may be any text, so every protocol may be a
 *   token
 * - the gate's cookie, if there is no `Authorization` and no offered protocol is a JWT: a cookie does not replace a token that
 *   fails, and a page that offers a protocol such as `graphql-ws` can use its cookie
 *
 * @throws Refusal if the handshake has no token, or more than one value where one is allowed
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

/** @throws Refusal if a handshake offers more tokens than Backstage tries: verifying each one takes time */
export function assertFew(tokens: unknown[]): void {
  if (tokens.length > MAX_TOKENS) {
    throw Refusal.tooManyTokens;
  }
}
