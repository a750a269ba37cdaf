import { connect } from 'node:net';

/** The answer to a WebSocket handshake, read from the raw socket. */
export interface RawUpgrade {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string | undefined>;
  /** After 101: the text of the first frame. */
  message: string | undefined;
  /** Resolves once the server has closed the socket. */
  closed: Promise<void>;
  isClosed(): boolean;
  destroy(): void;
}

const WEBSOCKET_LINES = ['Connection: Upgrade', 'Upgrade: websocket'];

/**
 * Sends the exact bytes of a WebSocket handshake, and waits for the answer and, after 101, for the first message.
 *
 * @param target - sent as Latin-1
 * @param headerLines - such as `Origin: http://localhost`
 * @param asking - the header lines that make the request a handshake
 */
export function rawUpgrade(
  port: number,
  target: string,
  headerLines: string[] = [],
  asking = WEBSOCKET_LINES,
): Promise<RawUpgrade> {
  const handshake = [
    `GET ${target} HTTP/1.1`,
    'Host: localhost',
    ...asking,
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headerLines,
    '',
    '',
  ].join('\r\n');
  return new Promise((resolve, reject) => {
    const socket = connect(port, 'localhost', () =>
      socket.write(Buffer.from(handshake, 'latin1')),
    );
    const closed = new Promise<void>(close => socket.once('close', close));
    let bytes = Buffer.alloc(0);
    socket.setTimeout(20_000, () => socket.destroy(new Error('No answer')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('Closed without an answer')));
    socket.on('data', chunk => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) {
        return;
      }
      const [statusLine, ...lines] = bytes
        .subarray(0, end)
        .toString('latin1')
        .split('\r\n');
      const status = Number(statusLine.split(' ')[1]);
      const message = readTextFrame(bytes.subarray(end + 4));
      if (status !== 101 || message !== undefined) {
        const headers = Object.fromEntries(
          lines.map(line => {
            const colon = line.indexOf(':');
            return [
              line.slice(0, colon).toLowerCase(),
              line.slice(colon + 1).trim(),
            ];
          }),
        );
        const destroy = () => socket.destroy();
        // Only the server closes the socket from here on.
        socket.setTimeout(0);
        const isClosed = () => socket.closed;
        resolve({ status, headers, message, closed, isClosed, destroy });
      }
    });
  });
}

/** Returns the text of a server's frame of at most 125 bytes (RFC 6455, section 5.2); `undefined` until it is complete. */
function readTextFrame(bytes: Buffer): string | undefined {
  const end = 2 + bytes[1];
  return bytes.length >= end ? bytes.toString('utf8', 2, end) : undefined;
}
