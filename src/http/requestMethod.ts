import type { IncomingMessage } from 'node:http';

/** Stands for a WebSocket upgrade in allow rules and reports. */
export const WEBSOCKET = 'WEBSOCKET';

/** Returns the method of a request. The result is `WEBSOCKET` for a handshake, which is sent as GET (RFC 6455, section 4.1). */
export function requestMethod(req: IncomingMessage): string {
  const { method = '' } = req;
  return method === 'GET' && isWebSocketUpgrade(req) ? WEBSOCKET : method;
}

/** Returns whether a request asks for a WebSocket, by the same test as Backstage and `ws`. */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Returns whether Node treats a request as an upgrade, and passes it to the listeners for `upgrade` if the server has any. */
export function asksForUpgrade({ headers }: IncomingMessage): boolean {
  const options = headers.connection?.split(',') ?? [];
  return (
    headers.upgrade !== undefined &&
    options.some(option => option.trim().toLowerCase() === 'upgrade')
  );
}
