/** The number of days before today of which the record has requests. */
export const DAYS_KEPT = 30;

/** The use of a rule, as the policy report has it. */
export interface RuleUsage {
  /** Config path of the rule, such as `auth.apiGate.allow[2]`. */
  rule: string;
  /** The day of the last request, in UTC; `null` if there was none in the last 30 days. */
  lastUsed: string | null;
  /** The number of the 30 days before today on which a replica was up with the rule in force. */
  days: number;
  /** The number of requests of these 30 days and today. */
  requests30d: number;
  /** `false`: the rule is for a plugin of another backend, which alone sees its requests. */
  installed?: boolean;
}

/** Returns whether a rule was in force on each of the last 30 days, and has had no request since. */
export function isUnused({ days, installed, requests30d }: RuleUsage): boolean {
  return installed !== false && days >= DAYS_KEPT && requests30d === 0;
}
