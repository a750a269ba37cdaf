import type { Response } from 'express';
import onHeaders from 'on-headers';
import { canRunScript } from '../http/canRunScript';
import { removeTargetedCacheControl } from '../http/removeTargetedCacheControl';
import { toPrivateCacheControl } from '../http/toPrivateCacheControl';

/**
 * Restricts the response to a signed-in user when its headers are written, since proxies replace headers late.
 *
 * - With a cookie, no shared cache may keep the response. `Vary: Cookie` is not needed then, and would make the browser's own
 *   cache useless, as the cookie changes with each sign-in.
 * - A response that can run script is sandboxed, unless its path is trusted. Navigations send no `Authorization`: without the
 *   cookie nobody could open a plugin's answer as a page, so its script must not act as the user. The answer to a bearer token is
 *   sandboxed too, since the browser may show it from its cache without another request. The sandbox policy is added to any other
 *   policies.
 *
 * @param isTrustedPath - called only for a response that can run script, and for a 304
 */
export function restrictResponse(
  res: Response,
  isCookie: boolean,
  isTrustedPath: () => boolean,
): void {
  // Two arguments and no object of options. V8 allocates an object literal that has often lived as long as its request among the
  // old objects, and what that refers to, here the whole request, is then not collected before the next full collection.
  onHeaders(res, () => {
    if (isCookie) {
      makePrivate(res);
    }
    sandbox(res, isTrustedPath);
  });
}

function makePrivate(res: Response) {
  const cacheControl = [res.getHeader('Cache-Control') ?? []].flat();
  res.setHeader(
    'Cache-Control',
    toPrivateCacheControl(cacheControl.join(', ')),
  );
  removeTargetedCacheControl(res);
}

function sandbox(res: Response, isTrustedPath: () => boolean) {
  const { statusCode } = res;
  const isNotModified = statusCode === 304;
  if (
    statusCode === 204 ||
    (!isNotModified && !canRunScript(res.getHeader('Content-Type'))) ||
    isTrustedPath()
  ) {
    return;
  }
  if (isNotModified) {
    // Remove the policy, whatever the type: browsers replace the policies of the stored response by those of a 304, and keep the
    // type that they have stored.
    res.removeHeader('Content-Security-Policy');
  } else {
    res.appendHeader('Content-Security-Policy', 'sandbox');
  }
}
