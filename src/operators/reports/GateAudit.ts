import type { LoggerService } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { InputError } from '@backstage/errors';
import { isUndefined, omitBy } from 'lodash';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { ReloadOutcome } from '../../settings/PolicySource';
import type { Revocation } from '../../gate/sessions/Revocation';
import { RateLimit } from '../../gate/util/RateLimit';

/**
 * Reports to Backstage's auditor, as the plugin that an event is about; to none while no plugin has registered. No event names the
 * request: the auditor would add its URL with the query, and refuses a request whose credentials are not valid.
 */
export class GateAudit {
  readonly #cookies = new RateLimit({ max: 1, intervalMs: 60_000 });

  constructor(
    private readonly logger: LoggerService,
    private readonly plugins: Pick<Plugins, 'auditorFor'>,
  ) {}

  /** At most one event a minute per user: a client that keeps no cookies is issued one with each request. */
  cookieIssued(plugin: string, userEntityRef: string): void {
    if (this.#cookies.take(userEntityRef) === 0) {
      this.record(plugin, 'api-gate-cookie-issue', 'low', { userEntityRef });
    }
  }

  /** Records a revocation by the gate's own route, or one that followed when refresh tokens could be ended after a sign-out. */
  revoked(
    { scope, sub }: Pick<Revocation, 'scope' | 'sub'>,
    { error, ...outcome }: { error?: Error; [field: string]: unknown },
  ): void {
    const fields = omitBy(outcome, isUndefined) as JsonObject;
    const meta = { scope, userEntityRef: sub, ...fields };
    this.record('auth', 'api-gate-revocation', 'high', meta, error);
  }

  reloaded(outcome: ReloadOutcome): void {
    const report = (meta: JsonObject, error?: Error) =>
      this.record('auth', 'api-gate-policy-reload', 'high', meta, error);
    if ('problem' in outcome) {
      report({}, new InputError(outcome.problem));
    } else {
      const { mode, allow } = outcome.policy.config;
      report({ mode, rules: allow.length });
    }
  }

  /** @param error - why the reported action has failed; without it, the event is a success */
  record(
    plugin: string,
    eventId: string,
    severityLevel: 'low' | 'medium' | 'high',
    meta: JsonObject,
    error?: Error,
  ): void {
    this.plugins
      .auditorFor(plugin)
      ?.createEvent({ eventId, severityLevel, meta })
      .then(event => (error ? event.fail({ error }) : event.success()))
      .catch(() => this.logger.warn(`API gate could not audit ${eventId}`));
  }
}
