import { compact } from 'lodash';
import { endOf } from '../../gate/rules/AllowRule';
import type { AcceptedFinding } from '../../settings/read/readAcceptedFindings';
import {
  ApiGateConfig,
  CONFIG_KEY,
} from '../../settings/read/readApiGateConfig';
import { findFailedExpectations } from '../../settings/expectations/checkExpectations';
import { isEnforced } from '../../gate/rules/Policy';
import { AFTER_REPORT_ONLY } from '../../settings/StartSettings';
import { endsSoon, Finding, Possible, FindingFacts } from './Finding';
import { findRuleFindings } from './findRuleFindings';
import { findSettingFindings } from './findSettingFindings';
import { createGet } from './backstageSettings';

/** Finds what makes the gate pointless or a rule dangerous, for the log of the start, the policy report and `api-gate check`. */
export function findFindings(facts: FindingFacts): Finding[] {
  const { config, gate, now } = facts;
  const known = { ...facts, get: createGet(config) };
  const findings = compact([
    ...findRuleFindings(known),
    ...findEndedExpectations(gate, now),
    ...findReplicaFindings(facts),
    ...findUnscanned(facts),
    ...findSettingFindings(known),
  ]);
  // The first entry for a finding precedes others.
  const accepting = new Map(
    [...gate.acceptedFindings]
      .reverse()
      .map(entry => [identityOf(entry), entry]),
  );
  return findings.map(finding => {
    const { reason } = accepting.get(identityOf(finding)) ?? {};
    return reason === undefined
      ? finding
      : { ...finding, accepted: { reason } };
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

function findUnscanned({ unscanned = [] }: FindingFacts): Finding[] {
  return unscanned.map(({ plugin, path }) => ({
    id: 'opened-beyond-scan',
    at: `${CONFIG_KEY} (/api/${plugin}${path})`,
    why: 'is opened in code by a plugin of the running backend, and the scan of --scan has missed it',
    write:
      'scan the packages that the backend runs; if the scan misses the path again, read the code of the plugin, and accept this finding if the path is meant to be open',
  }));
}

/** Finds what this replica lacks, and that report-only has ended, or ends within a week. */
function findReplicaFindings(facts: FindingFacts): Possible[] {
  const { areOrdersLoaded, gate, now } = facts;
  const {
    missingRevocations: missing = 0,
    stopping = 'GET …/policy of the running backend names what stops working',
  } = facts;
  return [
    gate.until &&
      (isEnforced(gate, +now) || endsSoon(+gate.until, facts)) && {
        id: 'report-only-ends',
        at: `${CONFIG_KEY}.until`,
        ...(isEnforced(gate, +now)
          ? {
              why: `has ended report-only at ${gate.until.toISOString()}, so that the gate enforces`,
              write: AFTER_REPORT_ONLY,
            }
          : {
              why: `ends report-only at ${gate.until.toISOString()}: ${stopping}`,
              write:
                'add a rule or a credential for what has to go on, or write a later until',
            }),
      },
    // While the gate enforces, it refuses every user instead.
    areOrdersLoaded === false &&
      !isEnforced(gate, +now) && {
        id: 'orders-not-loaded',
        at: `${CONFIG_KEY}.mode`,
        why: 'is report-only, and this replica has not read the list of locked users and ended sessions: it refuses none of them',
        write:
          'restore the connection that the log names, to the database or to the auth plugin',
      },
    // A restore of the database has lost sign-outs and locks.
    missing > 0 && {
      id: 'revocations-missing-in-table',
      at: `${CONFIG_KEY}.revocation`,
      why: `has ${missing} ${missing === 1 ? 'entry' : 'entries'} in force at this replica that the table api_gate_revocations lacks, so that a replica that starts decides otherwise`,
      write:
        'send the locks and lifts since the backup again: see docs/upgrade-and-rollback.md, After a restore',
    },
  ];
}
