import { isEqual, pick } from 'lodash';
import type { PolicyReport } from '../operators/reports/describePolicy';
import type { GateParts } from './createParts';

/** A report of 1,000 rules takes some ten milliseconds, in which users wait. */
const SHARED_MS = 5_000;

/** Creates the function that reads the report of the policy. Callers share one for a few seconds, unless the policy has changed. */
export function createSharedReport(gate: GateParts) {
  let shared:
    { state: unknown; madeAt: number; report: PolicyReport } | undefined;
  // Findings are about the settings of other plugins, too.
  gate.config.subscribe?.(() => {
    shared = undefined;
  });

  return async (): Promise<PolicyReport> => {
    const filesNewerThanPolicy = await gate.files.findNewer();
    const state = stateOf(gate);
    const now = performance.now();
    if (
      !shared ||
      now - shared.madeAt >= SHARED_MS ||
      !isEqual(shared.state, state)
    ) {
      shared = { state, madeAt: now, report: gate.describePolicy() };
    }
    return {
      ...shared.report,
      filesNewerThanPolicy,
      ...gate.describeProcess(),
    };
  };
}

/** Returns what may change soon after a start or a change of the configuration: callers see that at once. */
function stateOf({ policies, revocations, source }: GateParts) {
  return [
    pick(source, 'current', 'lists', 'needsRestart', 'problem'),
    revocations.isLoaded,
    policies.all().length,
  ];
}
