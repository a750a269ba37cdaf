import type { Response } from 'express';
import onHeaders from 'on-headers';
import type { CredentialKind } from '../decision/Decision';
import { canRunScript } from '../http/canRunScript';
import { isPageDestination } from '../http/fetchMetadata';
import {
  removeTargetedCacheControl,
  toPrivateCacheControl,
} from '../http/cacheControl';

/** Who trusts a path: the plugin by declaring it for cookies, or the operator by a setting. */
export type Trust = 'plugin' | 'operator' | undefined;

/**
 * Restricts the response to a signed-in user when its headers are written, since proxies replace headers late.
 *
 * - With a cookie, no shared cache may keep the response. `Vary: Cookie` is not needed then, and would make the browser's own
 *   cache useless, as the cookie changes with each sign-in.
 * - With a cookie, the browser does not store what it shows as a page, unless the handler sets `Cache-Control` or the plugin trusts
 *   the path. "Back" would otherwise show the page after the sign-out.
 * - A response to one kind of request, such as that of an image, is not used from the browser's cache for another kind, unless its
 *   path is trusted. The gate refuses the cookie for a script, and the browser would run a stored response without a request.
 * - A response that can run script is sandboxed, unless its path is trusted. Navigations send no `Authorization`: without the
 *   cookie nobody could open a plugin's answer as a page, so its script must not act as the user. The answer to a bearer token is
 *   sandboxed too, since the browser may show it from its cache without another request. The sandbox policy is added to any other
 *   policies.
 *
 * @param credential - `none` on a public path, to which browsers send the cookie too
 */
export function restrictResponse(
  res: Response,
  credential: CredentialKind,
  trustOfPath: () => Trust,
): void {
  const isCookie = credential === 'cookie' || credential === 'user-cookie';
  // Handlers change the headers of the request: the proxy plugin removes this one.
  const isPage = isCookie && isPageDestination(res.req);
  // Separate arguments and no object of options. V8 allocates an object literal that has often lived as long as its request among
  // the old objects, and what that refers to, here the whole request, is then not collected before the next full collection.
  onHeaders(res, () => {
    const trust = trustOfPath();
    if (isCookie) {
      makePrivate(res, isPage && trust !== 'plugin');
    }
    if (!trust) {
      if (credential !== 'none') {
        res.vary('Sec-Fetch-Dest');
      }
      sandbox(res);
    }
  });
}

function makePrivate(res: Response, isPage: boolean) {
  const own = [res.getHeader('Cache-Control') ?? []].flat().join(', ');
  res.setHeader(
    'Cache-Control',
    isPage && own === '' ? 'no-store' : toPrivateCacheControl(own),
  );
  removeTargetedCacheControl(res);
}

function sandbox(res: Response) {
  const { statusCode } = res;
  if (statusCode === 304) {
    // Remove the policy, whatever the type: browsers replace the policies of the stored response by those of a 304, and keep the
    // type that they have stored.
    res.removeHeader('Content-Security-Policy');
  } else if (
    statusCode !== 204 &&
    canRunScript(res.getHeader('Content-Type'))
  ) {
    res.appendHeader('Content-Security-Policy', 'sandbox');
  }
}
