import { isIP } from 'node:net';
import type { Decision } from '../decision/Decision';
import { shorten } from '../util/logLine';

/** The bytes of a text in a report that a client chooses, or the issuer of a token. The rest of a longer one is left out. */
export const MAX_FIELD_BYTES = 1_000;

/**
 * Returns what a report of a refusal has of the client: the subject of a token that has verified, and the address where the
 * configuration has that switched on. Both are personal data.
 */
export function clientOf({
  clientAddress,
  subject,
}: Decision): Pick<Decision, 'clientAddress' | 'subject'> {
  return {
    ...(subject !== undefined && {
      subject: shorten(subject, MAX_FIELD_BYTES),
    }),
    // A trusted proxy may forward any text that a client sent as its address.
    ...(isIP(clientAddress ?? '') && { clientAddress }),
  };
}
