import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import { findFailedExpectations } from '../policy/checkExpectations';
import { Finding, onlyPresent } from './Finding';

type Settings = Pick<
  ApiGateConfig,
  'allow' | 'candidate' | 'expect' | 'signOut'
>;

/** Finds expectations that a rule fulfilled until its end. */
export function findEndedExpectations(gate: Settings): Finding[] {
  return findFailedExpectations(gate, CONFIG_KEY)
    .filter(({ isByEnd }) => isByEnd)
    .map(({ index }) => ({
      id: 'expectation-ended',
      at: `${CONFIG_KEY}.expect[${index}]`,
      why: 'does not hold any more, since the rule that fulfilled it has ended',
      write: 'write a later until for the rule, or remove the expectation',
    }));
}

/** Finds a candidate that can't be judged. */
export function findCandidateFindings({ candidate }: Settings): Finding[] {
  return onlyPresent<Finding>([
    candidate !== undefined &&
      'problem' in candidate && {
        id: 'candidate-not-judged',
        at: `${CONFIG_KEY}.candidate`,
        why: 'is not judged',
        write: candidate.problem,
      },
  ]);
}
