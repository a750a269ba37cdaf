import type { LoggerService } from '@backstage/backend-plugin-api';
import {
  AuthenticationError,
  InputError,
  isError,
  NotAllowedError,
  NotFoundError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { createDecisionId } from './Decision';

/** The header with which a refusal carries the id of its decision. The log line of the decision has the same id. */
export const DECISION_HEADER = 'Api-Gate-Decision';

// RFC 6750, section 3: no error code for a request that presented nothing.
const NOTHING_PRESENTED = 'Bearer realm="Backstage"';
const INVALID_TOKEN = 'Bearer realm="Backstage", error="invalid_token"';
const INVALID_REQUEST = 'Bearer realm="Backstage", error="invalid_request"';

const RETRY_AFTER_SECONDS = '5';

/** The class of errors of which Backstage's error middleware makes each status. */
export const ERRORS = {
  400: InputError,
  401: AuthenticationError,
  403: NotAllowedError,
  404: NotFoundError,
  503: ServiceUnavailableError,
};

interface RefusalRow {
  status: keyof typeof ERRORS;
  /** The message of the error that answers the request. A caller cannot find out by it why a token is invalid. */
  message: string;
  /** The `WWW-Authenticate` header. */
  challenge?: string;
}

const unauthorized = (message: string): RefusalRow => ({
  status: 401,
  message,
  challenge: INVALID_TOKEN,
});
const forbidden = (message: string): RefusalRow => ({ status: 403, message });
const unavailable = (message: string): RefusalRow => ({ status: 503, message });

/** Every reason for a refusal, and its answer. docs/troubleshooting.md has the same reasons, with their meaning for operators. */
export const REFUSALS = {
  'missing-credentials': {
    status: 401,
    message: 'Missing credentials',
    challenge: NOTHING_PRESENTED,
  },
  'invalid-token': unauthorized('Invalid credentials'),
  'untrusted-issuer': unauthorized('Invalid credentials'),
  'unsupported-scheme': unauthorized(
    'The Authorization header must hold a bearer token',
  ),
  'too-many-tokens': unauthorized('A WebSocket may offer at most five tokens'),
  'conflicting-cookies': unauthorized('More than one value for one cookie'),
  revoked: unauthorized('Invalid credentials'),
  'repeated-authorization': {
    status: 400,
    message: 'More than one Authorization header',
    challenge: INVALID_REQUEST,
  },
  'cross-site': forbidden(
    'Pages of other sites may not use the cookie; auth.apiGate.cookie.trustedOrigins names those that may',
  ),
  'unsafe-destination': forbidden(
    'The cookie opens no scripts, styles and workers; auth.apiGate.cookie.trustedPaths names the paths where it does',
  ),
  restricted: forbidden('The token is restricted to other requests'),
  'token-ended': unauthorized('Invalid credentials'),
  starting: unavailable('Service has not started up yet'),
  'keys-unavailable': unavailable(
    'Credentials can not be verified at the moment',
  ),
  'revocations-unavailable': unavailable('Credentials can not be checked yet'),
  'sign-out-not-stored': unavailable(
    'Signed out at this replica; the others follow once the database is back',
  ),
  'sign-out-incomplete': unavailable(
    'Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached',
  ),
  failed: unavailable('Credentials can not be checked'),
} satisfies Record<string, RefusalRow>;

/** Why a request is refused. The log, the metrics, the audit and the policy route use the same words. */
export type RefusalReason = keyof typeof REFUSALS;

/** The session has ended, or its user has asked the gate to end it and has to find out that it did not. */
const HOLDS_IN_REPORT_ONLY = new Set<RefusalReason>([
  'revoked',
  'sign-out-not-stored',
  'sign-out-incomplete',
]);

/** Why a token is invalid. Only the log and the audit have it. */
export type InvalidDetail =
  'expired' | 'malformed' | 'audience' | 'unknown-key' | 'signature';

/** The detail that the log and the audit have beside a reason. */
export type RefusalDetail = InvalidDetail | 'new-key' | 'no-entry' | 'only';

/** The messages of details that say what the operator has to write. */
const DETAILED: { [detail in RefusalDetail]?: string } = {
  'no-entry':
    'The token is restricted to other requests: auth.apiGate.tokens has no entry for its subject',
};

const shared = new Map<string, Refusal>();

type RefusalFields = Partial<Pick<Refusal, 'error' | 'detail' | 'subject'>> & {
  /** The message of the service which has refused the request, in place of the reason's own. */
  message?: string;
};

/** Ends a request's way when it is thrown. Its `error` is Backstage's own, so that the answer has Backstage's form. */
export class Refusal extends Error {
  /**
   * Returns the refusal for a reason, with the reason's message. It is the same each time, because capturing a stack trace dominates
   * the cost of a refusal.
   */
  static because(reason: RefusalReason, detail?: RefusalDetail): Refusal {
    const key = detail ? `${reason} ${detail}` : reason;
    const message = detail && DETAILED[detail];
    const refusal = shared.get(key) ?? new Refusal(reason, { detail, message });
    shared.set(key, refusal);
    return refusal;
  }

  /** The subject of the refused token, if that has verified. */
  readonly subject: string | undefined;
  /** Narrows the reason where that is known. */
  readonly detail: RefusalDetail | undefined;
  readonly error: Error;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(
    readonly reason: RefusalReason,
    { message, error, detail, subject }: RefusalFields = {},
  ) {
    super(reason);
    this.subject = subject;
    this.detail = detail;
    const row: RefusalRow = REFUSALS[reason];
    this.status = row.status;
    this.error = error ?? new ERRORS[row.status](message ?? row.message);
    // The stack of a shared error is that of the first request.
    this.error.stack = `${this.error.name}: ${this.error.message}`;
    this.headers = {
      ...(row.challenge && { 'WWW-Authenticate': row.challenge }),
      // A moment later, the gate may be able to decide.
      ...(row.status === 503 && { 'Retry-After': RETRY_AFTER_SECONDS }),
    };
  }

  /** Whether the answer is a 401, so that the client has to present another credential. */
  get isFinal(): boolean {
    return this.status === 401;
  }

  /** Whether report-only refuses as well: report-only tries the rules, and a session that has ended is no question of rules. */
  get holdsInReportOnly(): boolean {
    return HOLDS_IN_REPORT_ONLY.has(this.reason);
  }

  /** Whether a plugin or a service has failed, so that nothing is known of the request's tokens. */
  get isUnexpected(): boolean {
    return this.reason === 'failed' || this.reason === 'starting';
  }

  /** Returns the same refusal for a token that has verified. It shares the error. */
  of(subject: string | undefined): Refusal {
    return new Refusal(this.reason, { ...this, subject });
  }

  /**
   * Returns the headers of the answer; its status and body follow from the `error`.
   *
   * @param resourceMetadata - the address at which a client reads how to sign in, for a 401 (RFC 9728, section 5.1)
   */
  headersFor(
    decisionId: string,
    resourceMetadata?: string,
  ): Record<string, string> {
    const { headers } = this;
    return {
      ...headers,
      ...(resourceMetadata &&
        this.isFinal && {
          'WWW-Authenticate': `${headers['WWW-Authenticate']}, resource_metadata="${resourceMetadata}"`,
        }),
      [DECISION_HEADER]: decisionId,
    };
  }
}

/** Returns the refusal for any error on a request's way, so that an unexpected error ends closed, and logs that one. */
export function toRefusal(error: unknown, logger: LoggerService): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (isError(error) && error.name === 'ServiceUnavailableError') {
    return new Refusal('starting', { message: error.message });
  }
  logger.error('API gate failed to decide about a request', error as Error);
  return Refusal.because('failed');
}

/**
 * Logs a refusal that no observer receives, because the backend stops or the gate itself has failed. Never throws.
 *
 * @returns the id of the decision
 */
export function refuseUndecided(
  refusal: Refusal,
  logger: LoggerService,
  error?: unknown,
): string {
  const { reason } = refusal;
  const decision = createDecisionId();
  const errorType = isError(error) ? error.name : typeof error;
  try {
    const level = error === undefined ? 'info' : 'error';
    logger[level]('API gate refused a request', {
      reason,
      decision,
      ...(error !== undefined && { errorType }),
    });
  } catch {
    // The answer must not depend on the log.
  }
  return decision;
}
