import type { IncomingMessage } from 'node:http';

/** Returns the bearer token of a request, if its `Authorization` holds one (RFC 6750, section 2.1). */
export function readBearer({ headers }: IncomingMessage): string | undefined {
  return headers.authorization?.match(/^Bearer +(\S+)$/i)?.[1];
}

/**
 * Returns the token in the credential header, as `Bearer <token>` or bare; `undefined` without the header, and an empty text for
 * any other value, such as two: Node joins several headers by a comma.
 */
export function readHeaderToken(
  { headers }: IncomingMessage,
  { header }: { header: string | undefined },
): string | undefined {
  const value = header === undefined ? undefined : headers[header];
  return value === undefined
    ? undefined
    : (String(value).match(/^(?:Bearer +)?([^\s,]+)$/i)?.[1] ?? '');
}

/** Returns the bearer tokens of a request, in the credential header and in an `Authorization` that is not foreign. */
export function readBearers(
  req: IncomingMessage,
  places: { header: string | undefined; isForeign: boolean },
): string[] {
  const bearer = places.isForeign ? undefined : readBearer(req);
  return [readHeaderToken(req, places), bearer].flatMap(token => token || []);
}

/** The tokens of requests whose `Authorization` does not hold them. */
const boundTokens = new WeakMap<object, string>();

/**
 * Makes a token the one that `httpAuth` reads in a request, whatever `Authorization` holds. Without a token, `httpAuth` reads
 * `Authorization`: a handler may have a request decided a second time.
 */
export function bindToken(
  req: IncomingMessage,
  token: string | undefined,
): void {
  if (token === undefined) {
    boundTokens.delete(req);
  } else {
    boundTokens.set(req, token);
  }
}

/** Returns the token that {@link bindToken} has made that of a request, if any. */
export function boundTokenOf(req: IncomingMessage): string | undefined {
  return boundTokens.get(req);
}

/** Returns the token of a request behind the gate: the bound one, or that in `Authorization`. */
export function tokenOf(req: IncomingMessage): string | undefined {
  return boundTokenOf(req) ?? readBearer(req);
}
