import { withTimeout } from '../util/time';
import type { CookieIssuer } from './CookieIssuer';

const TIMEOUT_MS = 3_000;

/** Wraps an adopter's issuer: a failure leaves no cookie behind, and the issuer takes three seconds at most. */
export function withRollback(issuer: CookieIssuer): CookieIssuer {
  return {
    async issueCookie(context) {
      const { res } = context;
      const before = res.getHeader('Set-Cookie');
      try {
        const issued = issuer.issueCookie(context);
        if (issued) {
          await withTimeout(
            issued,
            TIMEOUT_MS,
            'The cookie was not issued in time',
          );
        }
      } catch (error) {
        if (!res.headersSent) {
          res.removeHeader('Set-Cookie');
          if (before !== undefined) {
            res.setHeader('Set-Cookie', before);
          }
        }
        throw error;
      }
    },
  };
}
