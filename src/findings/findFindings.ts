import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import { findFailedExpectations } from '../policy/checkExpectations';
import { Finding, markAccepted, Possible, FindingFacts } from './Finding';
import { findRuleFindings } from './findRuleFindings';
import { findSettingFindings } from './findSettingFindings';
import { createGet } from './backstageSettings';

/** Finds what makes the gate pointless or a rule dangerous, for the log of the start, the policy report and `api-gate check`. */
export function findFindings(facts: FindingFacts): Finding[] {
  const { config, gate, isLegacy, now } = facts;
  const get = createGet(config);
  return [
    ...findRuleFindings(facts, get),
    ...findEndedExpectations(gate),
    !isLegacy && findCandidateFinding(gate),
    ...findSettingFindings(facts, get),
  ]
    .filter(finding => finding !== false && finding !== undefined)
    .map(finding => markAccepted(finding, gate.acceptedFindings, now));
}

/** Finds expectations that a rule fulfilled until its end. */
function findEndedExpectations(gate: ApiGateConfig): Finding[] {
  return findFailedExpectations(gate)
    .filter(({ heldUntilRuleEnded }) => heldUntilRuleEnded)
    .map(({ index }) => ({
      id: 'expectation-ended',
      at: `${CONFIG_KEY}.expect[${index}]`,
      why: 'does not hold any more, since the rule that fulfilled it has ended',
      write: 'write a later until for the rule, or remove the expectation',
    }));
}

/** Finds a candidate whose rules are wrong. */
function findCandidateFinding({ candidate }: ApiGateConfig): Possible {
  return (
    candidate !== undefined &&
    'problem' in candidate && {
      id: 'candidate-not-judged',
      at: `${CONFIG_KEY}.candidate`,
      why: 'is not judged',
      write: candidate.problem,
    }
  );
}
