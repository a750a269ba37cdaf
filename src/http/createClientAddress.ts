import type { IncomingMessage } from 'node:http';
import express from 'express';

/**
 * Makes a function that returns the address of the client of a request that does not pass Express, as Express's `req.ip` has
 * it: without `trustProxy` the address of the socket, since any client can send an `X-Forwarded-For`.
 *
 * @param trustProxy - `backend.trustProxy`, which Backstage hands to Express
 */
export function createClientAddress(
  trustProxy: unknown,
): (req: IncomingMessage) => string | undefined {
  const app = express();
  if (trustProxy !== undefined) {
    app.set('trust proxy', trustProxy);
  }
  // Express computes `ip` by a getter, which reads these properties of a request.
  return ({ headers, socket }) =>
    Reflect.get(app.request, 'ip', {
      app,
      headers,
      socket,
      connection: socket,
    });
}
