import { metrics } from '@opentelemetry/api';
import type { Decision } from '../decision/Decision';
import { endOf } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import type { PolicySource } from '../policy/PolicySource';
import type { Revocations } from '../revocation/Revocations';
import type { NotIssuedReason } from '../decision/GateObserver';

const METER = 'backstage-plugin-auth-backend-module-api-gate';

/** The number of rules whose end is reported. The label has the place of a rule, so that its number of values is bounded too. */
const MAX_ENDING_RULES = 100;

/** Reports to OpenTelemetry, where the backend has set that up. The number of values of each attribute is bounded. */
export class GateMetrics {
  readonly #meter = metrics.getMeter(METER);

  readonly #decisions = this.#meter.createCounter('api_gate.decisions', {
    description: 'Decisions about requests',
    unit: '{decision}',
  });

  readonly #verification = this.#meter.createHistogram(
    'api_gate.verification.duration',
    {
      description: 'Time to verify the credential of one request',
      unit: 's',
      advice: {
        explicitBucketBoundaries: [
          0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5,
        ],
      },
    },
  );

  readonly #cookies = this.#meter.createCounter('api_gate.cookies', {
    description: 'Cookies that were issued, or not',
    unit: '{cookie}',
  });

  readonly #candidate = this.#meter.createCounter('api_gate.candidate', {
    description: 'Requests that the candidate would decide differently',
    unit: '{request}',
  });

  constructor(
    revocations: Pick<Revocations, 'size' | 'staleness'>,
    source: Pick<PolicySource, 'current'>,
    /** Returns `undefined` where that is not known. */
    unusedRules: () => number | undefined,
  ) {
    this.#meter
      .createObservableGauge('api_gate.rules.unused', {
        description:
          'Allow rules without a request in the last 30 days, of those that were observed for 30 days',
        unit: '{rule}',
      })
      .addCallback(result => {
        const unused = unusedRules();
        if (unused !== undefined) {
          result.observe(unused);
        }
      });
    this.#meter
      .createObservableGauge('api_gate.revocations.held', {
        description: 'Revocations in force at this replica',
        unit: '{revocation}',
      })
      .addCallback(result => result.observe(revocations.size));
    this.#meter
      .createObservableGauge('api_gate.revocations.staleness', {
        description:
          'Time since the list of revocations was last read in full, or since the start',
        unit: 's',
      })
      .addCallback(result => result.observe(revocations.staleness));
    this.#meter
      .createObservableGauge('api_gate.policy.age', {
        description: 'Time since the policy in force was loaded, by its hash',
        unit: 's',
      })
      .addCallback(result => {
        const { hash, loadedAt } = source.current;
        result.observe((Date.now() - +loadedAt) / 1000, { hash });
      });
    this.#meter
      .createObservableGauge('api_gate.rules.ends_in', {
        description:
          'Time until an allow rule with `until` ends, and 0 once it has ended',
        unit: 's',
      })
      .addCallback(result => {
        const { config, now } = source.current;
        config.allow
          .map((rule, i) => ({ rule: `${CONFIG_KEY}.allow[${i}]`, ...rule }))
          .filter(({ until }) => until !== undefined)
          .sort((a, b) => endOf(a) - endOf(b))
          .slice(0, MAX_ENDING_RULES)
          .forEach(({ rule, plugin, until }) => {
            const endsIn = Math.max(0, until! - now());
            result.observe(endsIn / 1000, { rule, plugin });
          });
      });
  }

  /** @param plugin - id of an installed plugin, or the label for all others */
  decided(plugin: string, decision: Decision): void {
    const { outcome, reason, credential, candidate } = decision;
    this.#decisions.add(1, { plugin, outcome, reason, credential });
    if (candidate) {
      this.#candidate.add(1, { change: candidate.change });
    }
  }

  verified(seconds: number): void {
    this.#verification.record(seconds);
  }

  cookieIssued(): void {
    this.#cookies.add(1, { outcome: 'issued', reason: 'due' });
  }

  cookieNotIssued(reason: NotIssuedReason): void {
    this.#cookies.add(1, { outcome: 'refused', reason });
  }
}
