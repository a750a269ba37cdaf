import type { Config } from '@backstage/config';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import type { RuleUsage } from '../usage/RuleUsage';

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
  now: Date;
  /** Not `complete`: some requests may not be among those that were observed. */
  usage?: { complete: boolean; rules: readonly RuleUsage[] };
}
