import { connect } from 'node:net';

const IDLE_MS = 100;

/**
 * Sends bytes over one connection, for any number of requests, and waits until the server closes it or has been silent for a
 * while.
 *
 * @param bytes - sent as Latin-1
 * @returns the status of each answer
 */
export function rawExchange(port: number, bytes: string): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, 'localhost', () =>
      socket.write(Buffer.from(bytes, 'latin1')),
    );
    let received = '';
    socket.setTimeout(20_000, () => socket.destroy());
    socket.on('data', chunk => {
      received += chunk.toString('latin1');
      socket.setTimeout(IDLE_MS);
    });
    socket.on('error', reject);
    socket.on('close', () =>
      resolve(
        [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) =>
          Number(status),
        ),
      ),
    );
  });
}
