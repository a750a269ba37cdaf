import type {
  AuditorService,
  AuditorServiceEventSeverityLevel,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { JsonObject, JsonValue } from '@backstage/types';
import { InputError } from '@backstage/errors';
import type { ReloadOutcome } from '../policy/PolicySource';
import { RateLimit } from '../util/RateLimit';

const COOKIE_INTERVAL_MS = 60_000;

/**
 * Reports to Backstage's auditor; to none while no plugin has registered. No event names the request: the auditor would add
 * its URL with the query, and refuses a request whose credentials are not valid.
 */
export class GateAudit {
  readonly #cookies = new RateLimit({ max: 1, intervalMs: COOKIE_INTERVAL_MS });

  constructor(private readonly logger: LoggerService) {}

  /** At most one event a minute per user: a client that keeps no cookies is issued one with each request. */
  cookieIssued(
    auditor: AuditorService | undefined,
    userEntityRef: string,
  ): void {
    if (auditor && this.#cookies.take(userEntityRef) === 0) {
      this.record(auditor, 'api-gate-cookie-issue', 'low', { userEntityRef });
    }
  }

  /** Records a revocation by an operator, or one that followed when refresh tokens could be ended after a sign-out. */
  revoked(
    auditor: AuditorService | undefined,
    revocation: { scope: 'session' | 'user'; userEntityRef: string },
    outcome: { error?: Error; offlineSessions?: unknown },
  ): void {
    const offlineSessions = outcome.offlineSessions as JsonValue | undefined;
    const meta = {
      ...revocation,
      ...(offlineSessions !== undefined && { offlineSessions }),
    };
    this.record(auditor, 'api-gate-revocation', 'high', meta, outcome.error);
  }

  reloaded(auditor: AuditorService | undefined, outcome: ReloadOutcome): void {
    const report = (meta: JsonObject, error?: Error) =>
      this.record(auditor, 'api-gate-policy-reload', 'high', meta, error);
    if ('problem' in outcome) {
      report({}, new InputError(outcome.problem));
    } else {
      const { mode, allow } = outcome.policy.config;
      report({ mode, rules: allow.length });
    }
  }

  /** @param error - why the reported action has failed; without it, the event is a success */
  record(
    auditor: AuditorService | undefined,
    eventId: string,
    severityLevel: AuditorServiceEventSeverityLevel,
    meta: JsonObject,
    error?: Error,
  ): void {
    auditor
      ?.createEvent({ eventId, severityLevel, meta })
      .then(event => (error ? event.fail({ error }) : event.success()))
      .catch(() => this.logger.warn(`API gate could not audit ${eventId}`));
  }
}
