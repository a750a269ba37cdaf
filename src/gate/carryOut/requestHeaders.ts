import type { IncomingMessage } from 'node:http';
import { CookieNames, withoutCookies } from '../read/cookieHeader';
import { isHeader } from '../read/readCredential';

/**
 * Replaces a request header, or removes it, in each place where a handler or a proxy may read it: `headers`, `headersDistinct`
 * and `rawHeaders`.
 *
 * @param name - in lower case
 */
export function setRequestHeader(
  req: IncomingMessage,
  name: string,
  value: string | undefined,
): void {
  // Read both properties first: Node derives them from `rawHeaders` at the first access.
  const { headers, headersDistinct } = req;
  const { rawHeaders } = req;
  const raw: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!isHeader(rawHeaders[i], name)) {
      raw.push(rawHeaders[i], rawHeaders[i + 1]);
    }
  }
  if (value === undefined) {
    delete headers[name];
    delete headersDistinct[name];
  } else {
    headers[name] = value;
    headersDistinct[name] = [value];
    raw.push(name, value);
  }
  req.rawHeaders = raw;
}

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
      if (names.all.has(name)) {
        delete parsed![name];
      }
    }
  }
}
