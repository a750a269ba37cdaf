import type { Config } from '@backstage/config';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { Finding, markAccepted } from './Finding';
import {
  findCandidateFindings,
  findEndedExpectations,
} from './findExpectationFindings';
import { findRuleFindings, RuleFacts } from './findRuleFindings';
import { findSettingFindings, SettingFacts } from './findSettingFindings';
import { readOtherSettings } from './readOtherSettings';

/** The facts that all findings depend on. Facts that are not known give no finding. */
export interface FindingFacts
  extends
    Pick<RuleFacts, 'isInstalled' | 'now' | 'usage'>,
    Pick<SettingFacts, 'lists'> {
  /** The whole configuration of the backend. */
  config: Config;
  /** The settings in force. */
  gate: ApiGateConfig;
  /** Whether the backend is on the legacy system. Default: false. */
  isLegacy?: boolean;
}

/** Finds what makes the gate pointless or a rule dangerous, for the log of the start, the policy report and `api-gate check`. */
export function findFindings(facts: FindingFacts): Finding[] {
  const { config, gate, isLegacy = false, now } = facts;
  const other = readOtherSettings(config);
  const { acceptedFindings, allow } = gate;
  return markAccepted(
    [
      ...findRuleFindings({ ...facts, allow, isLegacy, other }),
      ...findEndedExpectations(gate),
      ...(isLegacy ? [] : findCandidateFindings(gate)),
      ...findSettingFindings({ ...facts, isLegacy, other }),
    ],
    acceptedFindings,
    now,
  );
}
