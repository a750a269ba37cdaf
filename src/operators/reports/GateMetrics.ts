import { clamp } from 'lodash';
import { metrics, trace } from '@opentelemetry/api';
import type { Decision } from '../../gate/Decision';
import { endOf } from '../../gate/rules/AllowRule';
import type { PolicyFiles } from '../../settings/files/PolicyFiles';
import type { PolicySource } from '../../settings/PolicySource';
import type { Revocations } from '../../store/revocations/Revocations';
import type { Usage } from '../../store/usage/Usage';

interface ObservedParts {
  files: Pick<PolicyFiles, 'countNewer'>;
  revocations: Pick<Revocations, 'missing' | 'size' | 'staleness'>;
  source: Pick<PolicySource, 'current' | 'needsRestart' | 'problem'>;
  usage: Pick<Usage, 'isComplete' | 'isOn' | 'isShared'>;
}

const A_YEAR_S = 365 * 24 * 60 * 60;

/** Returns the seconds until the first of these times: 0 once it has passed, and a year at most, also where there is none. */
function secondsUntil(times: number[], now: number): number {
  return clamp((Math.min(...times) - now) / 1000, 0, A_YEAR_S);
}

type Gauge = [
  unit: string,
  description: string,
  read: (parts: ObservedParts) => number,
];

const GAUGES: Record<string, Gauge> = {
  'api_gate.revocations.held': [
    '{revocation}',
    'Revocations in force at this replica',
    ({ revocations }) => revocations.size,
  ],
  'api_gate.revocations.missing': [
    '{revocation}',
    'Revocations in force at this replica that the database has lost',
    ({ revocations }) => revocations.missing,
  ],
  'api_gate.revocations.staleness': [
    's',
    'Time since the list of revocations was last read in full, or since the start',
    ({ revocations }) => revocations.staleness,
  ],
  'api_gate.usage.unknown': [
    '{record}',
    '1 while the record of used rules and tokens lacks requests, otherwise 0',
    ({ usage }) => Number(usage.isOn && usage.isShared && !usage.isComplete),
  ],
  'api_gate.up': [
    '{gate}',
    '1 while the rules refuse, 0 in report-only; without the gate there is no value',
    ({ source }) => (source.current.isEnforced ? 1 : 0),
  ],
  'api_gate.rules.ends_in': [
    's',
    'Time until the first allow rule with `until` ends, a year at most; 0 once one has ended',
    ({ source: { current } }) => {
      const rules = current.config.allow;
      return secondsUntil(rules.map(endOf), current.now());
    },
  ],
  'api_gate.report_only.ends_in': [
    's',
    'Time until report-only ends, a year at most; a year once the rules refuse',
    ({ source }) => {
      const { config, isEnforced } = source.current;
      const ends = config.until && !isEnforced ? [+config.until] : [];
      return secondsUntil(ends, Date.now());
    },
  ],
  'api_gate.policy.hash': [
    '{hash}',
    'The hash of the policy in force as a number, equal at replicas with the same settings in force',
    // A double holds the 48 bits exactly.
    ({ source }) => Number.parseInt(source.current.hash, 16),
  ],
  'api_gate.policy.rejected': [
    '{policy}',
    '1 while the configuration is rejected and the policy before it stays in force, otherwise 0',
    ({ source }) => (source.problem === undefined ? 0 : 1),
  ],
  'api_gate.policy.needs_restart': [
    '{setting}',
    'Settings whose new value takes effect after a restart',
    ({ source }) => source.needsRestart.length,
  ],
  'api_gate.policy.files_newer': [
    '{file}',
    'Configuration files that differ from what the backend has read of them; -1 if that is not known',
    ({ files }) => files.countNewer(),
  ],
};

/**
 * The metrics of OpenTelemetry, where the backend has set that up. The number of values of each attribute is bounded: `plugin` is the id of
 * an installed plugin, or the label for all others.
 *
 * OpenTelemetry exports each set of attributes that an observable gauge ever had until the process ends, with its last value. So
 * no observable gauge has attributes, and each is observed every time. Each value is finite: OTLP in JSON has no NaN, and a
 * collector refuses all metrics of an export that holds one.
 */
export class GateMetrics {
  readonly #meter = metrics.getMeter(
    'backstage-plugin-auth-backend-module-api-gate',
  );

  readonly decisions = this.#meter.createCounter('api_gate.decisions', {
    description: 'Decisions about requests',
    unit: '{decision}',
  });

  readonly verification = this.#meter.createHistogram(
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

  readonly cookies = this.#meter.createCounter('api_gate.cookies', {
    description: 'Cookies that were issued, or not',
    unit: '{cookie}',
  });

  readonly wouldRefuse = this.#meter.createCounter('api_gate.would_refuse', {
    description:
      'Requests that report-only let pass, once they have their answer',
    unit: '{request}',
  });

  constructor(parts: ObservedParts) {
    for (const [name, gauge] of Object.entries(GAUGES)) {
      const [unit, description, read] = gauge;
      this.#meter
        .createObservableGauge(name, { description, unit })
        .addCallback(result => result.observe(read(parts)));
    }
  }

  /** Exports a count of 0, because Prometheus sees no increase in the first value of a series. */
  expectWorked(plugins: string[]): void {
    for (const plugin of plugins) {
      this.wouldRefuse.add(0, { plugin, answer: 'worked' });
    }
  }
}

/**
 * Adds a decision to the active span, which is the server's span of the request where the backend traces requests. The rule
 * comes from the configuration; nothing of the request but the kind of its credential is added.
 */
export function annotateSpan(decision: Decision): void {
  const { id, outcome, reason, rule, credential } = decision;
  const span = trace.getActiveSpan();
  if (!span?.isRecording()) {
    return;
  }
  span.setAttributes({
    'api_gate.outcome': outcome,
    'api_gate.reason': reason,
    'api_gate.credential': credential,
    ...(rule && { 'api_gate.rule': `/api/${rule.plugin}${rule.path}` }),
    ...(id && { 'api_gate.decision': id }),
  });
}
