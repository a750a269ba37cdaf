import type { Plugins } from '../../gate/plugins/Plugins';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import type { PolicySource } from '../../settings/PolicySource';
import type { Fact } from '../facts/Fact';
import type { Finding } from '../findings/Finding';
import type { ProcessReport } from './describeReplica';
import type { ReportOnlyReport } from './describeReportOnly';
import type { Uses } from './Uses';

/** Says what is open, who has power, and what was counted. docs/reference/http-api.md describes each field. */
export type PolicyReport = ReturnType<typeof createPolicyReport>;

/** Creates the report of the policy in force, for the policy route and its page. */
export function createPolicyReport(options: {
  facts: Fact[];
  filesNewerThanPolicy: string[] | undefined;
  findings: Finding[];
  plugins: Pick<Plugins, 'installedIds'>;
  policy: ConfiguredPolicy;
  process: ProcessReport;
  reportOnly: ReportOnlyReport | undefined;
  source: Pick<PolicySource, 'needsRestart' | 'problem'>;
  uses: Uses;
}) {
  const { facts, filesNewerThanPolicy, findings, policy } = options;
  const { plugins, reportOnly, source, uses } = options;
  const { config, hash, isEnforced, loadedAt } = policy;
  return {
    hash,
    loadedAt: loadedAt.toISOString(),
    mode: config.mode,
    ...(config.until && { until: config.until.toISOString() }),
    enforced: isEnforced,
    ...(source.problem !== undefined && { problem: source.problem }),
    needsRestart: source.needsRestart,
    filesNewerThanPolicy,
    facts,
    findings,
    installed: plugins.installedIds(),
    ...options.process,
    ...(reportOnly && { reportOnly }),
    used: uses.describe(config.allow),
  };
}
