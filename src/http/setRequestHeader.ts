import type { IncomingMessage } from 'node:http';
import { isHeader } from './isHeader';

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
