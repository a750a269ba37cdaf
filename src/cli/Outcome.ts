import { compact } from 'lodash';
import { DECISION_HEADER } from '../gate/Refusal';
import { CliError } from './Command';
import type { GetAnswer } from './get';

/** The beginning of the gate's challenge. What may follow is where an MCP client reads how to sign in. */
const CHALLENGE = 'Bearer realm="Backstage"';

/** What comes of a request without a credential. */
export interface Outcome {
  /** 0: the gate has refused the request. 1: something else has answered. 2: it can not be said which. */
  code: 0 | 1 | 2;
  /** Follows the request in a sentence. */
  text: string;
  /** `undefined` if no answer has come. */
  status?: number;
}

/** Returns the outcome of a request. Having no answer is one too. */
export async function outcomeOf(asked: Promise<GetAnswer>): Promise<Outcome> {
  try {
    return judge(await asked);
  } catch (error) {
    if (error instanceof CliError) {
      return { code: 2, text: `has no answer: ${error.message}` };
    }
    throw error;
  }
}

/** Returns the exit code for the codes of outcomes: one answer of something else weighs more than one that shows nothing. */
export function exitCodeFor(codes: Outcome['code'][]): Outcome['code'] {
  return ([1, 2] as const).find(code => codes.includes(code)) ?? 0;
}

export function judge(answer: GetAnswer): Outcome {
  const { status } = answer;
  const [code, text] = explain(answer);
  return { code, text: `answers ${status}${text}`, status };
}

function explain(answer: GetAnswer): [code: Outcome['code'], text: string] {
  const { status } = answer;
  if (status >= 300 && status < 400) {
    return [2, ', which is not followed: give the address that it leads to'];
  }
  if (status === 429 || status >= 500) {
    return [2, ': ask again once the backend is up'];
  }
  if (status === 404) {
    return [1, ': the gate is missing, or in report-only'];
  }
  if (status !== 401) {
    return [1, ': something else answers for it'];
  }
  const missing = missingParts(answer).join(' and ');
  return missing === ''
    ? [0, ' from the gate']
    : [
        1,
        ` without ${missing}: something else answers for it, or removes these from the gate's answer`,
      ];
}

function missingParts({ method, headers, body }: GetAnswer): string[] {
  const challenge = headers.get('www-authenticate') ?? '';
  return compact([
    !headers.get(DECISION_HEADER) && DECISION_HEADER,
    !challenge.startsWith(CHALLENGE) && `WWW-Authenticate: ${CHALLENGE}`,
    method !== 'HEAD' && !isBackstageError(body) && "Backstage's JSON",
  ]);
}

function isBackstageError(body: string): boolean {
  try {
    const { error, response } = JSON.parse(body);
    return error.name === 'AuthenticationError' && response.statusCode === 401;
  } catch {
    return false;
  }
}
