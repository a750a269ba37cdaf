import type {
  AuditorServiceEvent,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { isUndefined, omitBy } from 'lodash';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { ReloadOutcome } from '../../settings/PolicySource';
import type { Revocation } from '../../gate/sessions/Revocation';
import { RateLimit } from '../../gate/util/RateLimit';

type End = (event: AuditorServiceEvent) => unknown;

/** Creates the end of an action that has failed. The error has no stack, which would be that of this file. */
const failed = (problem: string): End => {
  const error = Object.assign(new Error(problem), { stack: undefined });
  return event => event.fail({ error });
};

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

  /** Records a refusal as an event without an end, which Backstage's auditor would log as a second line. */
  refused(plugin: string, meta: JsonObject): void {
    const refusal = { outcome: 'refused', ...meta };
    this.record(plugin, 'api-gate-denial', 'medium', refusal, () => {});
  }

  /** Records a revocation by the gate's own route, or one that followed when refresh tokens could be ended after a sign-out. */
  revoked(
    { scope, sub }: Pick<Revocation, 'scope' | 'sub'>,
    { problem, ...outcome }: { problem?: string; [field: string]: unknown },
  ): void {
    const fields = omitBy(outcome, isUndefined) as JsonObject;
    const meta = { scope, userEntityRef: sub, ...fields };
    const end = problem ? failed(problem) : undefined;
    this.record('auth', 'api-gate-revocation', 'high', meta, end);
  }

  reloaded(outcome: ReloadOutcome): void {
    const report = (meta: JsonObject, end?: End) =>
      this.record('auth', 'api-gate-policy-reload', 'high', meta, end);
    if ('problem' in outcome) {
      report({}, failed(outcome.problem));
    } else {
      const { mode, allow } = outcome.policy.config;
      report({ mode, rules: allow.length });
    }
  }

  /** Records an event. By default, the reported action has succeeded. */
  record(
    plugin: string,
    eventId: string,
    severityLevel: 'low' | 'medium' | 'high',
    meta: JsonObject,
    end: End = event => event.success(),
  ): void {
    this.plugins
      .auditorFor(plugin)
      ?.createEvent({ eventId, severityLevel, meta })
      .then(end)
      .catch(() => this.logger.warn(`API gate could not audit ${eventId}`));
  }
}
