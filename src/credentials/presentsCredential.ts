import type { IncomingMessage } from 'node:http';
import { CookieReader, readCredential } from './readCredential';
import { readProtocols } from './readProtocols';
import { decodeToken } from './token';

/**
 * Returns whether a request for a public route presents a credential, for statistics only. The credential is not verified: anything
 * in `Authorization`, in the gate's cookie or in Backstage's own is one, and so is a JWT among the protocols of a WebSocket.
 */
export function presentsCredential(
  req: IncomingMessage,
  cookie: CookieReader | undefined,
): boolean {
  const { kind } = readCredential(req, {
    cookie,
    acceptsUserCookie: () => true,
  });
  return kind !== 'none' || readProtocols(req).some(decodeToken);
}
