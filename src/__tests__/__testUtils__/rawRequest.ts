import { connect } from 'node:net';

/** An answer as it came over the socket. */
export interface RawResponse {
  status: number;
  /** Names in lower case; several values of one name are joined by a line feed. */
  headers: Record<string, string | undefined>;
  body: string;
  /** The whole answer, as Latin-1. */
  bytes: string;
}

/**
 * Sends the exact bytes of a request target and of header lines, which every HTTP client would normalise.
 *
 * @param target - sent as Latin-1
 * @param headerLines - such as `Cookie: a=1`
 */
export function rawRequest(
  port: number,
  target: string,
  options: { method?: string; headerLines?: string[]; body?: string } = {},
): Promise<RawResponse> {
  const { method = 'GET', headerLines = [], body = '' } = options;
  const bytes = Buffer.from(
    [
      `${method} ${target} HTTP/1.1`,
      'Host: localhost',
      'Connection: close',
      ...(body ? [`Content-Length: ${body.length}`] : []),
      ...headerLines,
      '',
      body,
    ].join('\r\n'),
    'latin1',
  );
  return new Promise((resolve, reject) => {
    const socket = connect(port, 'localhost', () => socket.write(bytes));
    const chunks: Buffer[] = [];
    socket.setTimeout(20_000, () => socket.destroy(new Error('No answer')));
    socket.on('data', chunk => {
      chunks.push(chunk);
      // A proxied answer may keep the connection open.
      if (isComplete(Buffer.concat(chunks).toString('latin1'), method)) {
        socket.end();
      }
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const response = parseResponse(Buffer.concat(chunks).toString('latin1'));
      if (response) {
        resolve(response);
      } else {
        reject(new Error('The socket closed without an answer'));
      }
    });
  });
}

function isComplete(text: string, method: string): boolean {
  const response = parseResponse(text);
  if (!response) {
    return false;
  }
  const { headers, body, status } = response;
  return (
    method === 'HEAD' ||
    status === 204 ||
    body.length === Number(headers['content-length']) ||
    (headers['transfer-encoding'] === 'chunked' && body.endsWith('0\r\n\r\n'))
  );
}

function parseResponse(text: string): RawResponse | undefined {
  const end = text.indexOf('\r\n\r\n');
  const status = text.match(/^HTTP\/1\.1 (\d{3})/)?.[1];
  if (end === -1 || !status) {
    return undefined;
  }
  const headers: RawResponse['headers'] = {};
  for (const line of text.slice(0, end).split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] ? `${headers[name]}\n${value}` : value;
  }
  return {
    status: Number(status),
    headers,
    body: text.slice(end + 4),
    bytes: text,
  };
}
