import type { Request, Response } from 'express';
import onHeaders from 'on-headers';
import { removeTargetedCacheControl } from '../http/cacheControl';
import type { GateCookie } from './GateCookie';

/** Clears the gate's cookies of a request, by the headers of its answer. */
export function clearCookie(
  cookie: GateCookie | undefined,
  req: Request,
  res: Response,
): void {
  const cleared = cookie?.clear(req.headers.cookie) ?? [];
  if (cleared.length > 0) {
    // Set the headers last: a proxying handler replaces headers that were set before.
    onHeaders(res, () => {
      res.append('Set-Cookie', cleared);
      res.setHeader('Cache-Control', 'no-store');
      removeTargetedCacheControl(res);
    });
  }
}
