import { metrics, trace } from '@opentelemetry/api';
import type { Decision } from '../../gate/Decision';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import type { PolicySource } from '../../settings/PolicySource';
import type { Revocations } from '../../store/revocations/Revocations';

interface ObservedParts {
  revocations: Pick<Revocations, 'staleness'>;
  source: Pick<PolicySource, 'current' | 'problem'>;
}

type Gauge = [
  unit: string,
  description: string,
  read: (parts: ObservedParts) => number,
];

const GAUGES: Record<string, Gauge> = {
  'api_gate.up': [
    '{gate}',
    '1 while the rules refuse, 0 in report-only; without the gate there is no value',
    ({ source }) => (source.current.isEnforced ? 1 : 0),
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
  'api_gate.revocations.staleness': [
    's',
    'Time since the list of revocations was last read in full, or since the start',
    ({ revocations }) => revocations.staleness,
  ],
};

/**
 * The metrics of OpenTelemetry, where the backend has set that up. The number of values of each attribute is bounded: `plugin` is the id of
 * an installed plugin, or the label for all others, `rule` is in the configuration, and `subject` is limited by `Uses`.
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

  readonly wouldRefuse = this.#meter.createCounter('api_gate.would_refuse', {
    description:
      'Requests that report-only let pass, once they have their answer',
    unit: '{request}',
  });

  readonly rules = this.#meter.createCounter('api_gate.rule.requests', {
    description: 'Requests that an allow rule has let pass',
    unit: '{request}',
  });

  readonly externalTokens = this.#meter.createCounter(
    'api_gate.external_token.requests',
    {
      description: 'Requests that an external token has let pass',
      unit: '{request}',
    },
  );

  constructor(parts: ObservedParts) {
    for (const [name, gauge] of Object.entries(GAUGES)) {
      const [unit, description, read] = gauge;
      this.#meter
        .createObservableGauge(name, { description, unit })
        .addCallback(result => result.observe(read(parts)));
    }
  }

  /** Exports counts of 0, because Prometheus sees no increase in the first value of a series. */
  expect(expected: {
    /** Where report-only is on: those at which requests may work. */
    plugins: readonly string[];
    rules: readonly AllowRule[];
    subjects: readonly string[];
  }): void {
    const reason = 'missing-credentials';
    for (const plugin of expected.plugins) {
      this.wouldRefuse.add(0, { plugin, reason, answer: 'worked' });
    }
    for (const rule of expected.rules) {
      this.rules.add(0, { rule: formatRule(rule) });
    }
    for (const subject of expected.subjects) {
      this.externalTokens.add(0, { subject });
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
