import { randomFillSync } from 'node:crypto';

/** The header with which a refusal carries the id of its decision. The log line of the decision has the same id. */
export const DECISION_HEADER = 'Api-Gate-Decision';

const ID_BYTES = 8;

// Random bytes for 512 ids at a time, because a call of the random generator for each refusal is measurable in a flood.
const pool = Buffer.alloc(512 * ID_BYTES);
let used = pool.length;

/** Returns 64 random bits as 16 hex digits. Nobody can derive other ids, or the number of refusals, from an id. */
export function createDecisionId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.toString('hex', used - ID_BYTES, used);
}
