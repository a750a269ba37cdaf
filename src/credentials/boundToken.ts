import type { IncomingMessage } from 'node:http';
import { readBearer } from './readCredential';

/** The tokens of requests whose `Authorization` does not hold them. */
const boundTokens = new WeakMap<object, string>();

/**
 * Makes a token the one that `httpAuth` reads in a request, whatever `Authorization` holds; `undefined` makes it read that header,
 * as a handler may have a request decided a second time.
 */
export function bindToken(req: object, token: string | undefined): void {
  if (token === undefined) {
    boundTokens.delete(req);
  } else {
    boundTokens.set(req, token);
  }
}

/** Returns the token of a request behind the gate: the bound one, or that in `Authorization`. */
export function tokenOf(req: IncomingMessage): string | undefined {
  return boundTokens.get(req) ?? readBearer(req);
}
