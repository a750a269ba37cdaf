import { createHash } from 'node:crypto';
import { AllowRule, endOf } from '../gate/rules/AllowRule';
import type { ApiGateConfig } from './read/readApiGateConfig';
import { Policy } from '../gate/rules/Policy';

/** The policy of a whole `auth.apiGate`. */
export class ConfiguredPolicy extends Policy<ApiGateConfig> {
  readonly loadedAt = new Date();
  #hash: string | undefined;

  /** Identifies the policy. Replicas with the same settings in force have the same hash. */
  get hash(): string {
    return (this.#hash ??= hashPolicy(this.config));
  }

  get openRules(): AllowRule[] {
    const now = this.now();
    return this.allowList.rules.filter(rule => now < endOf(rule));
  }
}

/** Returns 12 hex digits that identify the settings that decide about requests. Each reader returns its keys in one order. */
function hashPolicy(config: ApiGateConfig): string {
  const { acceptedFindings, ...settings } = config;
  const text = JSON.stringify(settings, (_, value) =>
    value instanceof Set ? [...value].sort() : value,
  );
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
