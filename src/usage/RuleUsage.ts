import { DAYS_COUNTED } from './Use';

/** The use of a rule, as the policy report has it. */
export interface RuleUsage {
  /** Config path of the rule, such as `auth.apiGate.allow[2]`. */
  rule: string;
  /** The day of the last request, in UTC; `null` if there was none in the time of observation. */
  lastUsed: string | null;
  /** The number of whole days in which the rule was in force and observed: a gap in which no replica was up is none. */
  days: number;
  /** The number of requests of the last 30 days. */
  requests30d: number;
  /** `false`: the rule is for a plugin of another backend, which alone sees its requests. */
  installed?: boolean;
}

/** Returns whether a rule was observed for 30 days, and has had no request in the last 30. */
export function isUnused({ days, installed, requests30d }: RuleUsage): boolean {
  return installed !== false && days >= DAYS_COUNTED && requests30d === 0;
}
