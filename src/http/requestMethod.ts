import type { IncomingMessage } from 'node:http';

/** Stands for an upgrade to a WebSocket in allow rules and in what the gate tells. */
export const WEBSOCKET = 'WEBSOCKET';

/** The method of a request, `WEBSOCKET` for a handshake, which is sent as GET (RFC 6455, section 4.1). */
export function requestMethod(req: IncomingMessage): string {
  const { method = '' } = req;
  return method === 'GET' && isWebSocketUpgrade(req) ? WEBSOCKET : method;
}

/** Whether a request says that it is for a WebSocket, as Backstage and `ws` tell. */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

/** Whether Node takes a request for an upgrade, so that it goes to the listeners for `upgrade` if the server has any. */
export function asksForUpgrade({ headers }: IncomingMessage): boolean {
  const options = headers.connection?.split(',') ?? [];
  return (
    headers.upgrade !== undefined &&
    options.some(option => option.trim().toLowerCase() === 'upgrade')
  );
}
