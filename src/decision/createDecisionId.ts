import { randomUUID } from 'node:crypto';

/** The header with which a refusal carries the id of its decision. The log line of the decision has the same id. */
export const DECISION_HEADER = 'Api-Gate-Decision';

/** Returns 62 random bits as 16 hex digits. Nobody can derive other ids, or the number of refusals, from an id. */
export function createDecisionId(): string {
  // The end of a UUID: Node makes the random bytes of many UUIDs at a time, which a flood of refusals needs.
  return randomUUID().slice(-17).replace('-', '');
}
