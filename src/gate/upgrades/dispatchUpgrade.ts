import { IncomingMessage, Server, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** A listener for `upgrade`, as `server.rawListeners('upgrade')` returns it. */
export type UpgradeListener = (
  this: Server,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => unknown;

/** The time that a listener which has returned has until it uses the socket. */
export const UNTOUCHED_MS = 2_000;

/**
 * Passes an upgrade to listeners, one after the other as `emit` does, and answers 404 if no listener takes it: Node leaves such a
 * socket open forever.
 *
 * A listener takes an upgrade once it writes to the socket, listens to it or reads from it. A listener that returns a promise has
 * until that promise settles.
 */
export async function dispatchUpgrade(
  server: Server,
  listeners: UpgradeListener[],
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  const before = tracesOn(socket);
  const running = listeners.map(listener =>
    Reflect.apply(listener, server, [req, socket, head]),
  );
  // A rejected promise is still reported as an unhandled rejection, as without the gate.
  await Promise.all(
    running.map(
      result =>
        new Promise<void>(resolve => {
          Promise.resolve(result).finally(resolve);
        }),
    ),
  );
  if (tracesOn(socket) !== before) {
    return;
  }
  setTimeout(() => {
    if (!socket.destroyed && tracesOn(socket) === before) {
      answerUpgrade(socket, 404);
    }
  }, UNTOUCHED_MS).unref();
}

/** Returns the socket's state that a listener changes when it takes an upgrade. */
function tracesOn(socket: Duplex): string {
  const { bytesWritten, timeout } = socket as {
    bytesWritten?: number;
    timeout?: number;
  };
  const listeners = socket
    .eventNames()
    .map(name => `${String(name)} ${socket.listenerCount(name)}`);
  return [
    ...listeners.sort(),
    bytesWritten,
    socket.writableLength,
    socket.writableEnded,
    socket.readableFlowing,
    timeout,
  ].join();
}

export function answerUpgrade(
  socket: Duplex,
  status: number,
  headers: Record<string, string> = {},
): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Length: 0',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.end(`${lines.join('\r\n')}\r\n\r\n`, () => socket.destroy());
}
