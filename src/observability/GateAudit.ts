import type {
  AuditorService,
  AuditorServiceEventSeverityLevel,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { LRUCache } from 'lru-cache';
import { InputError } from '@backstage/errors';
import type { OfflineSessionsAnswer } from '../revocation/OfflineSessions';
import type { ReloadOutcome } from '../policy/PolicySource';
import type { RefusalReason } from '../decision/Refusal';

const COOKIE_INTERVAL_MS = 60_000;
const MAX_REMEMBERED_USERS = 1_000;

/**
 * Tells Backstage's auditor. No event names the request: the auditor would add its URL with the query, and refuses a request
 * whose credentials are not valid.
 */
export class GateAudit {
  readonly #lastCookies = new LRUCache<string, number>({
    max: MAX_REMEMBERED_USERS,
  });

  constructor(private readonly logger: LoggerService) {}

  /** @param meta.omitted - how many like it were left out before it */
  denied(
    auditor: AuditorService,
    meta: {
      plugin: string;
      reason: RefusalReason;
      method: string;
      omitted: number;
    },
    error: Error,
  ): void {
    this.record(auditor, 'api-gate-denial', 'medium', meta, error);
  }

  /** At most one event a minute per user: a client that keeps no cookies is issued one with each request. */
  cookieIssued(auditor: AuditorService, userEntityRef: string): void {
    const now = Date.now();
    const last = this.#lastCookies.get(userEntityRef);
    if (last === undefined || now - last >= COOKIE_INTERVAL_MS) {
      this.#lastCookies.set(userEntityRef, now);
      this.record(auditor, 'api-gate-cookie-issue', 'low', { userEntityRef });
    }
  }

  /** For a sign-out everywhere whose refresh tokens could be ended only some time after the answer. */
  signedOutLater(
    auditor: AuditorService,
    userEntityRef: string,
    offlineSessions: OfflineSessionsAnswer,
    isStored: boolean,
  ): void {
    this.record(
      auditor,
      'api-gate-revocation',
      'high',
      { scope: 'user', userEntityRef, offlineSessions },
      isStored ? undefined : new Error('Not stored yet'),
    );
  }

  reloaded(auditor: AuditorService, outcome: ReloadOutcome): void {
    if ('problem' in outcome) {
      const error = new InputError(outcome.problem);
      this.record(auditor, 'api-gate-policy-reload', 'high', {}, error);
      return;
    }
    const { mode, allow } = outcome.policy.config;
    const meta = { mode, rules: allow.length };
    this.record(auditor, 'api-gate-policy-reload', 'high', meta);
  }

  /** @param error - of what has failed; without it, it has succeeded */
  record(
    auditor: AuditorService,
    eventId: string,
    severityLevel: AuditorServiceEventSeverityLevel,
    meta: JsonObject,
    error?: Error,
  ): void {
    auditor
      .createEvent({ eventId, severityLevel, meta })
      .then(event => (error ? event.fail({ error }) : event.success()))
      .catch(() => this.logger.warn(`API gate could not audit ${eventId}`));
  }
}
