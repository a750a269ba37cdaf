import type { IncomingMessage } from 'node:http';

/** Returns the protocols that a WebSocket handshake offers (RFC 6455, section 11.3.4). Node joins several headers by a comma. */
export function readProtocols({ headers }: IncomingMessage): string[] {
  return (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map(protocol => protocol.trim())
    .filter(Boolean);
}
