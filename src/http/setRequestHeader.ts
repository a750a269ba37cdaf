import type { IncomingMessage } from 'node:http';

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
  req.rawHeaders = req.rawHeaders.filter(
    (_, i, raw) => raw[i - (i % 2)].toLowerCase() !== name,
  );
  if (value === undefined) {
    delete headers[name];
    delete headersDistinct[name];
  } else {
    headers[name] = value;
    headersDistinct[name] = [value];
    req.rawHeaders.push(name, value);
  }
}
