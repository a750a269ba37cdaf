import { compact } from 'lodash';
import { endOf } from '../config/AllowRule';
import type { AcceptedFinding } from '../config/readAcceptedFindings';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import { findFailedExpectations } from '../policy/checkExpectations';
import { atOnce, mapInPieces, Pieces } from '../util/pieces';
import type { Finding, Possible, FindingFacts } from './Finding';
import { findRuleFindings } from './findRuleFindings';
import { findSettingFindings } from './findSettingFindings';
import { createGet } from './backstageSettings';

/** Finds what makes the gate pointless or a rule dangerous, for the log of the start, the policy report and `api-gate check`. */
export function findFindings(facts: FindingFacts): Finding[] {
  return atOnce(findFindingsInPieces(facts));
}

/** As {@link findFindings}. */
export function* findFindingsInPieces(facts: FindingFacts): Pieces<Finding[]> {
  const { config, gate, isLegacy, now } = facts;
  const get = createGet(config);
  const findings = compact([
    ...(yield* findRuleFindings(facts, get)),
    ...findEndedExpectations(gate, now),
    !isLegacy && findCandidateFinding(gate),
    ...findSettingFindings(facts, get),
  ]);
  // The first entry for a finding precedes others.
  const accepting = new Map(
    gate.acceptedFindings
      .filter(({ until }) => until === undefined || now < until)
      .reverse()
      .map(entry => [identityOf(entry), entry]),
  );
  return yield* mapInPieces(findings, finding => {
    const { reason, until } = accepting.get(identityOf(finding)) ?? {};
    return reason === undefined
      ? finding
      : { ...finding, accepted: { reason, until: until?.toISOString() } };
  });
}

/**
 * An entry of a list is compared by its content where that is known, and not by its index. Otherwise a new rule at the top of
 * `allow` would be accepted in place of the one below.
 */
function identityOf({ id, at }: Pick<AcceptedFinding, 'id' | 'at'>): string {
  const [path, ...content] = at.split(' (');
  const place = content.length > 0 ? path.replace(/\[\d+\]/g, '[]') : path;
  return [id, place, ...content].join(' (');
}

/** Finds expectations that a rule fulfilled until its end. */
function findEndedExpectations(gate: ApiGateConfig, now: Date): Finding[] {
  // Rules without an end are many, and to judge them by the expectations takes long.
  if (!gate.allow.some(rule => endOf(rule) <= +now)) {
    return [];
  }
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
