import type { IncomingMessage } from 'node:http';
import type { RootConfigService } from '@backstage/backend-plugin-api';
import express from 'express';

/**
 * Makes a function that returns the address of the client of a request that does not pass Express, as Express's `req.ip` has
 * it. Without `backend.trustProxy`, which Backstage hands to Express, it is the address of the socket, since any client can send an
 * `X-Forwarded-For`.
 */
export function createClientAddress(
  config: RootConfigService,
): (req: IncomingMessage) => string | undefined {
  const trustProxy = config.getOptional('backend.trustProxy');
  const app = express().set('trust proxy', trustProxy);
  // Express computes `ip` by a getter, which reads these properties of a request.
  return ({ headers, socket }) =>
    Reflect.get(app.request, 'ip', {
      app,
      headers,
      socket,
      connection: socket,
    });
}
