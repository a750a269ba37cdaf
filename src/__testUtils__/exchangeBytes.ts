import { connect } from 'node:net';

/** An answer of those that came over one connection. */
export interface Answer {
  status: number;
  /** Status line and headers, as they came. */
  head: string;
}

/**
 * Sends bytes over a connection of their own, and reads what comes until the server closes it: no answer, or several.
 *
 * @param silenceMs - after which a server that says nothing, as it waits for more, is told that there is no more
 */
export function exchangeBytes(
  port: number,
  bytes: Buffer,
  silenceMs = 20_000,
): Promise<Answer[]> {
  return new Promise(resolve => {
    const chunks: Buffer[] = [];
    const socket = connect(port, 'localhost', () => socket.write(bytes));
    socket.setTimeout(silenceMs, () => socket.end());
    socket.on('data', chunk => chunks.push(chunk));
    // A server may close while it is still sent to.
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
