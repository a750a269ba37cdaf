import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

// The system gives the ports from 32768 on to connections, so that one of those may be in use a moment later.
const LOWEST = 20_000;
const PORTS = 6_000;
/** The longest time, in milliseconds, from the choice of a port until a server listens on it. */
const RESERVED_MS = 60_000;

/** Listens on a port of this machine; rejects if another server does. */
async function listen(port: number) {
  const server = createServer().unref();
  await once(server.listen(port, 'localhost'), 'listening');
  return server;
}

/** Returns a port that no server used a moment ago, and that no process receives from this function within a minute. */
export async function freePort(): Promise<number> {
  const port = LOWEST + randomInt(PORTS);
  try {
    // Test files run at the same time, in processes of their own: a second server, on a port beside the range, reserves the first.
    const reservation = await listen(port + PORTS);
    setTimeout(() => reservation.close(), RESERVED_MS).unref();
    const server = await listen(port);
    await new Promise(closed => server.close(closed));
    return port;
  } catch {
    return freePort();
  }
}
