import {
  AuthenticationError,
  InputError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import type { Response } from 'express';
import type { RefusalReason } from './Decision';

const RETRY_AFTER_SECONDS = 5;

const STATUS_BY_ERROR: Record<string, number> = {
  InputError: 400,
  AuthenticationError: 401,
  NotAllowedError: 403,
  ServiceUnavailableError: 503,
};

/**
 * Thrown on a request's way to end it. The `error` is Backstage's own, so that the answer is in Backstage's form.
 *
 * Those that are always the same are made once: a stack costs more than all else of a refusal.
 */
export class Refusal extends Error {
  private constructor(
    readonly reason: RefusalReason,
    readonly error: Error,
    readonly headers: Record<string, string>,
  ) {
    super(reason);
    // Where it was made tells nothing of the request.
    error.stack = `${error.name}: ${error.message}`;
  }

  /** Whether what was presented will not count later either. */
  get isFinal(): boolean {
    return this.error.name === 'AuthenticationError';
  }

  /** The status that Backstage's error middleware makes of the `error`, for answers that do not pass it. */
  get status(): number {
    return STATUS_BY_ERROR[this.error.name];
  }

  /** 401 for a request that presented nothing (RFC 6750, section 3: no error code then). */
  static readonly missingCredentials = new Refusal(
    'missing-credentials',
    new AuthenticationError('Missing credentials'),
    { 'WWW-Authenticate': 'Bearer realm="Backstage"' },
  );

  static readonly unsupportedScheme = Refusal.#invalidCredentials(
    'unsupported-scheme',
    'The Authorization header must hold a bearer token',
  );

  static readonly tooManyTokens = Refusal.#invalidCredentials(
    'too-many-tokens',
    'A WebSocket may offer at most five tokens',
  );

  static readonly conflictingCookies = Refusal.#invalidCredentials(
    'conflicting-cookies',
    'More than one value for one cookie',
  );

  static readonly invalidToken = Refusal.#invalidCredentials('invalid-token');

  static readonly untrustedIssuer =
    Refusal.#invalidCredentials('untrusted-issuer');

  static readonly revoked = Refusal.#invalidCredentials('revoked');

  /** 400 for a request that says two things at once. */
  static readonly repeatedAuthorization = new Refusal(
    'repeated-authorization',
    new InputError('More than one Authorization header'),
    {
      'WWW-Authenticate': 'Bearer realm="Backstage", error="invalid_request"',
    },
  );

  /** 403 for a cookie that another site's page made the browser send. */
  static readonly crossSite = new Refusal(
    'cross-site',
    new NotAllowedError(
      'Pages of other sites may not use the cookie; auth.apiGate.cookie.trustedOrigins names those that may',
    ),
    {},
  );

  /** 403 for a cookie with a request whose answer would run in the page that asked for it. */
  static readonly unsafeDestination = new Refusal(
    'unsafe-destination',
    new NotAllowedError(
      'The cookie opens no scripts, styles and workers; auth.apiGate.cookie.trustedPaths names the paths where it does',
    ),
    {},
  );

  static readonly keysUnavailable = Refusal.#unavailable(
    'keys-unavailable',
    'Credentials can not be verified at the moment',
  );

  static readonly revocationsUnavailable = Refusal.#unavailable(
    'revocations-unavailable',
    'Credentials can not be judged yet',
  );

  static readonly signOutNotStored = Refusal.#unavailable(
    'sign-out-not-stored',
    'Signed out at this replica; the others follow once the database is back',
  );

  static readonly signOutIncomplete = Refusal.#unavailable(
    'sign-out-incomplete',
    'Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached',
  );

  static readonly failed = Refusal.#unavailable(
    'failed',
    'Credentials can not be judged',
  );

  /** 403 for a token whose access restrictions leave this plugin out, in the words of the service that has judged it. */
  static restricted(message: string): Refusal {
    return new Refusal('restricted', new NotAllowedError(message), {});
  }

  /** 503 while a plugin is not up, or no longer, in the words of its lifecycle. */
  static starting(message = 'Service has not started up yet'): Refusal {
    return Refusal.#unavailable('starting', message);
  }

  /** 503 where the answer would be another in a moment. */
  static #unavailable(reason: RefusalReason, message: string): Refusal {
    return new Refusal(reason, new ServiceUnavailableError(message), {
      'Retry-After': String(RETRY_AFTER_SECONDS),
    });
  }

  /** 401 for a credential that was presented and does not count. */
  static #invalidCredentials(
    reason: RefusalReason,
    message = 'Invalid credentials',
  ): Refusal {
    return new Refusal(reason, new AuthenticationError(message), {
      'WWW-Authenticate': 'Bearer realm="Backstage", error="invalid_token"',
    });
  }

  /**
   * Sets the headers of the answer; its status and body follow from the `error`.
   *
   * @param resourceMetadata - where a client finds out how to sign in, for a 401 (RFC 9728, section 5.1)
   */
  applyTo(res: Response, resourceMetadata?: string): void {
    for (const [name, value] of Object.entries(this.headers)) {
      res.setHeader(name, value);
    }
    if (resourceMetadata && this.isFinal) {
      res.setHeader(
        'WWW-Authenticate',
        `${this.headers['WWW-Authenticate']}, resource_metadata="${resourceMetadata}"`,
      );
    }
  }
}
