import type { IncomingMessage } from 'node:http';

/**
 * Replaces a request header, or removes it, everywhere that a handler or a proxy may read it: in `headers`, and in
 * `rawHeaders`, from which `headersDistinct` is made when it is first asked for.
 *
 * @param name - in lower case
 */
export function setRequestHeader(
  req: IncomingMessage,
  name: string,
  value: string | undefined,
): void {
  // The getter of `headers` reads `rawHeaders` the first time: let it do so before they change.
  const { headers } = req;
  req.rawHeaders = req.rawHeaders.filter(
    (_, i, raw) => raw[i - (i % 2)].toLowerCase() !== name,
  );
  if (value === undefined) {
    delete headers[name];
  } else {
    headers[name] = value;
    req.rawHeaders.push(name, value);
  }
}
