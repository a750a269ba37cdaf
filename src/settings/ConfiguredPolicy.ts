import { createHash } from 'node:crypto';
import { AllowList } from '../gate/rules/AllowList';
import { AllowRule, endOf } from '../gate/rules/AllowRule';
import type { ApiGateConfig } from './read/readApiGateConfig';
import { withoutDenied } from './expectations/findOpenings';
import { Policy } from '../gate/rules/Policy';

/** The policy of a whole `auth.apiGate`. */
export class ConfiguredPolicy extends Policy<ApiGateConfig> {
  readonly loadedAt = new Date();
  #hash: string | undefined;
  #opened: AllowList | undefined;

  /** Identifies the policy. Replicas with the same settings in force have the same hash. */
  get hash(): string {
    return (this.#hash ??= hashPolicy(this.config));
  }

  /** The allow rules, each without the methods that deny rules cover. */
  get opened(): AllowList {
    const { allow, deny } = this.config;
    return (this.#opened ??= new AllowList(withoutDenied(allow, deny)));
  }

  get openRules(): AllowRule[] {
    const now = this.now();
    return this.opened.rules.filter(
      rule => rule.methods.length > 0 && now < endOf(rule),
    );
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
