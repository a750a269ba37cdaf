import { WebSocket } from 'ws';

/** Resolves to a client once its WebSocket is open, or to the status of a refusal. */
export const openedOrRefused = (client: WebSocket) =>
  new Promise<WebSocket | number>((resolve, reject) => {
    client.once('open', () => resolve(client));
    client.once('unexpected-response', (_, { statusCode }) => {
      client.on('error', () => {});
      client.terminate();
      resolve(statusCode!);
    });
    client.once('error', reject);
  });
