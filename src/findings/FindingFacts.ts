import type { Config } from '@backstage/config';
import type { ListSource } from '../config/findListSources';
import type { ApiGateConfig } from '../config/readApiGateConfig';

/** The facts that findings depend on. Facts that are not known give no finding. */
export interface FindingFacts {
  /** The whole configuration of the backend. */
  config: Config;
  /** The settings in force. */
  gate: ApiGateConfig;
  /** `undefined` where the installed plugins are not known. */
  isInstalled?: (plugin: string) => boolean;
  /** Whether the backend is on the legacy system. Default: false. */
  isLegacy?: boolean;
  lists: readonly ListSource[];
  now: Date;
  /** Not `complete`: some requests may not be among those that were observed. */
  usage?: { complete: boolean; rules: readonly RuleUsage[] };
}

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
