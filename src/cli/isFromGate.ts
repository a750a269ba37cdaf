import { attempt, isMatch } from 'lodash';
import { DECISION_HEADER } from '../gate/Refusal';
import type { Answer } from './get';

/** The beginning of the gate's challenge. What may follow is where an MCP client reads how to sign in. */
const CHALLENGE = 'Bearer realm="Backstage"';

/** Returns whether an answer to a GET request without a credential is the gate's own refusal. */
export function isFromGate({ status, headers, body }: Answer): boolean {
  const challenge = headers.get('www-authenticate') ?? '';
  return (
    status === 401 &&
    Boolean(headers.get(DECISION_HEADER)) &&
    challenge.startsWith(CHALLENGE) &&
    isMatch(attempt(JSON.parse, body), {
      error: { name: 'AuthenticationError' },
      response: { statusCode: 401 },
    })
  );
}
