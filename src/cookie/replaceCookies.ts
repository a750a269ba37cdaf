import type { IncomingMessage } from 'node:http';
import { setRequestHeader } from '../http/setRequestHeader';

/** Gives a request another `Cookie` header, unless it has none or this very one. */
export function replaceCookies(
  req: IncomingMessage,
  cookies: string | undefined,
): void {
  const present = req.headers.cookie;
  if (present && cookies !== present) {
    setRequestHeader(req, 'cookie', cookies);
  }
}
