import { connect } from 'node:net';

/** An answer that arrived over the connection. */
export interface Answer {
  status: number;
  /** Status line and headers, unchanged. */
  head: string;
}

/**
 * Sends bytes over a new connection, and reads until the server closes it. The result may have no answer, or several.
 *
 * @param silenceMs - after this time without data, the client closes its side of the connection
 * @param idleMs - takes the place of `silenceMs` once data has arrived
 */
export function exchangeBytes(
  port: number,
  bytes: Buffer,
  silenceMs = 20_000,
  idleMs = silenceMs,
): Promise<Answer[]> {
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    const socket = connect(port, 'localhost', () => socket.write(bytes));
    socket.setTimeout(silenceMs, () => socket.end());
    socket.on('data', chunk => {
      chunks.push(chunk);
      socket.setTimeout(idleMs);
    });
    // A server may close the connection while the client still sends.
    socket.on('error', () => {});
    socket.on('close', () =>
      resolve(answersIn(Buffer.concat(chunks).toString('latin1'))),
    );
  });
}

function answersIn(text: string): Answer[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) .*?\r\n\r\n/gs)].map(
    ([head, status]) => ({ status: Number(status), head }),
  );
}
