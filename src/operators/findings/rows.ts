import type { FindingId } from '../../settings/read/readAcceptedFindings';
import type { Facts, Place, Severity } from './Finding';
import {
  findEndingRules,
  findOpenProxies,
  findOpenWebhooks,
  findUnsafeMethods,
  findWideRules,
} from './rules';
import {
  findForwardedTokens,
  findMissingBarriers,
  findOpenSignIns,
  findUntilOfReportOnly,
  findWideTrust,
} from './settings';
import { findAbsentPlugins } from './plugins';
import {
  findEndingTokens,
  findEndless,
  findUnlimited,
  findUnrestricted,
} from './tokens';

interface Row {
  id: FindingId;
  severity: Severity;
  find(facts: Facts): Place[];
}

/** All findings, in the order in which they are reported. `texts.ts` has what they say. */
export const ROWS: readonly Row[] = [
  { id: 'no-barrier-behind', severity: 'high', find: findMissingBarriers },
  { id: 'anyone-may-sign-in', severity: 'high', find: findOpenSignIns },
  { id: 'rule-opens-plugin', severity: 'high', find: findWideRules },
  { id: 'rule-changes-data', severity: 'high', find: findUnsafeMethods },
  {
    id: 'open-webhook-without-secret',
    severity: 'high',
    find: findOpenWebhooks,
  },
  { id: 'open-proxy-with-secret', severity: 'high', find: findOpenProxies },
  { id: 'token-leaves-house', severity: 'high', find: findForwardedTokens },
  { id: 'scripts-act-as-user', severity: 'high', find: findWideTrust },
  {
    id: 'unrestricted-external-token',
    severity: 'high',
    find: findUnrestricted,
  },
  { id: 'external-tokens-unlimited', severity: 'high', find: findUnlimited },
  { id: 'token-without-end', severity: 'low', find: findEndless },
  { id: 'plugin-not-installed', severity: 'low', find: findAbsentPlugins },
  { id: 'report-only-ends', severity: 'low', find: findUntilOfReportOnly },
  { id: 'rule-ends-soon', severity: 'low', find: findEndingRules },
  { id: 'token-ends-soon', severity: 'low', find: findEndingTokens },
];
