import type { GateCookie } from '../cookie/GateCookie';
import { BACKSTAGE_AUTH_COOKIES } from '../credentials/readCredential';
import { removeCookies } from '../http/removeCookies';
import { setRequestHeader } from '../http/setRequestHeader';
import type { GateRequest } from './GateRequest';

/**
 * Sets the headers with which a request goes on to the handlers behind the gate. Nothing else in the gate changes a request's
 * headers, and every request that goes on comes through here: no handler of this backend sees the gate's cookie.
 */
export function forward(
  { req, forwarded }: Pick<GateRequest, 'req' | 'forwarded'>,
  cookie: GateCookie | undefined,
): void {
  const { bearer, gateCookie, userCookie } = forwarded;
  if (bearer !== undefined) {
    setRequestHeader(req, 'authorization', `Bearer ${bearer}`);
  }
  if (userCookie === 'removed') {
    removeCookies(req, BACKSTAGE_AUTH_COOKIES);
  }
  if (gateCookie === 'as received') {
    return;
  }
  cookie?.removeFrom(req);
  if (gateCookie) {
    cookie?.putInto(req, gateCookie.token);
  }
}
