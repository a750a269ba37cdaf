import type { Request } from 'express';

/**
 * Returns a request that holds a bearer token and nothing else. Backstage's `httpAuth` reads the token of a request only, and
 * caches one result per request, which must not be that of a token which the real request does not present as its own.
 */
export function substituteRequest(token: string): Request {
  return { headers: { authorization: `Bearer ${token}` } } as Request;
}
