import type { Request, Response } from 'express';
import onHeaders from 'on-headers';
import type { GateCookie } from './GateCookie';

/** Makes the gate's cookies that a request has expire, by the headers of its answer. */
export function clearCookie(
  cookie: GateCookie | undefined,
  req: Request,
  res: Response,
): void {
  const cleared = cookie?.clear(req.headers.cookie) ?? [];
  if (cleared.length > 0) {
    // At the last moment: what proxies an answer replaces these headers.
    onHeaders(res, () => {
      res.append('Set-Cookie', cleared);
      res.setHeader('Cache-Control', 'no-store');
    });
  }
}
