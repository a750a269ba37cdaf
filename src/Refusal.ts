import {
  AuthenticationError,
  InputError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Response } from 'express';
import type { RefusalReason } from './Decision';

const RETRY_AFTER_SECONDS = 5;

/** Thrown on a request's way to end it. The `error` is Backstage's own, so that the answer is in Backstage's form. */
export class Refusal extends Error {
  private constructor(
    readonly reason: RefusalReason,
    readonly error: Error,
    readonly headers: Record<string, string>,
  ) {
    super(reason);
  }

  /** Whether what was presented will not count later either. */
  get isFinal(): boolean {
    return this.error.name === 'AuthenticationError';
  }

  /** 401 for a request that presented nothing (RFC 6750, section 3: no error code then). */
  static missingCredentials(): Refusal {
    return new Refusal(
      'missing-credentials',
      new AuthenticationError('Missing credentials'),
      { 'WWW-Authenticate': 'Bearer realm="Backstage"' },
    );
  }

  /** 401 for a credential that was presented and does not count. */
  static invalidCredentials(reason: RefusalReason, message: string): Refusal {
    return new Refusal(reason, new AuthenticationError(message), {
      'WWW-Authenticate': 'Bearer realm="Backstage", error="invalid_token"',
    });
  }

  /** 400 for a request that says two things at once. */
  static invalidRequest(reason: RefusalReason, message: string): Refusal {
    return new Refusal(reason, new InputError(message), {
      'WWW-Authenticate': 'Bearer realm="Backstage", error="invalid_request"',
    });
  }

  /** 403 for a credential that is valid, but not here. */
  static notAllowed(reason: RefusalReason, message: string): Refusal {
    return new Refusal(reason, new NotAllowedError(message), {});
  }

  /** 403 for a cookie that another site's page made the browser send. */
  static crossSite(): Refusal {
    return Refusal.notAllowed(
      'cross-site',
      'Pages of other sites may not use the cookie; auth.apiGate.cookie.trustedOrigins names those that may',
    );
  }

  /** 503 where the answer would be another in a moment. */
  static unavailable(reason: RefusalReason, message: string): Refusal {
    return new Refusal(reason, new ServiceUnavailableError(message), {
      'Retry-After': String(RETRY_AFTER_SECONDS),
    });
  }

  /** Sets the headers of the answer; its status and body follow from the `error`. */
  applyTo(res: Response): void {
    for (const [name, value] of Object.entries(this.headers)) {
      res.setHeader(name, value);
    }
  }
}
