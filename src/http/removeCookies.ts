import type { IncomingMessage } from 'node:http';
import { setRequestHeader } from './setRequestHeader';
import { CookieNames, withoutCookies } from './cookieHeader';

/** The properties that `cookie-parser` adds to a request, if an app runs it in front of the gate. */
interface ParsedCookies {
  cookies?: Record<string, unknown>;
  signedCookies?: Record<string, unknown>;
}

/**
 * Removes cookies from a request, so that no handler finds them: from its headers, and from the properties that `cookie-parser`
 * has set.
 */
export function removeCookies(req: IncomingMessage, names: CookieNames): void {
  const present = req.headers.cookie;
  const others = withoutCookies(present, names);
  if (others !== present) {
    setRequestHeader(req, 'cookie', others);
  }
  const { cookies, signedCookies } = req as ParsedCookies;
  for (const parsed of [cookies, signedCookies]) {
    for (const name of parsed ? Object.keys(parsed) : []) {
      if (names.isRelevant(name)) {
        delete parsed![name];
      }
    }
  }
}
