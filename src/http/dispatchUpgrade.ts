import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { answerUpgrade } from './answerUpgrade';

/** A listener for `upgrade`, as `server.rawListeners('upgrade')` returns it. */
export type UpgradeListener = (
  this: Server,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
) => unknown;

/** How long a listener that has returned may take until it touches the socket. */
export const UNTOUCHED_MS = 2_000;

/**
 * Hands an upgrade to listeners, one after the other as `emit` does, and answers 404 if no listener takes it: Node leaves such a
 * socket open for ever.
 *
 * A listener takes an upgrade once it writes to the socket, listens to it or reads from it. One that returns a promise may take
 * as long as that promise does.
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
  // A promise that rejects is still reported as nobody's, as without the gate.
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

/** Whatever a listener that takes an upgrade changes on its socket. */
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
