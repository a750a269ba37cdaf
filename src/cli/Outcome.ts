import { attempt, compact, isMatch } from 'lodash';
import { DECISION_HEADER } from '../gate/Refusal';
import { CliError } from './Command';
import type { Answer } from './get';

/** The beginning of the gate's challenge. What may follow is where an MCP client reads how to sign in. */
const CHALLENGE = 'Bearer realm="Backstage"';

/** The outcome of a request without a credential. */
export interface Outcome {
  /** 0: the gate has refused the request. 1: something else has answered. 2: it can not be said which. */
  code: 0 | 1 | 2;
  /** Follows the request in a sentence. */
  text: string;
  /** `undefined` if no answer has come. */
  status?: number;
}

export async function outcomeOf(asked: Promise<Answer>): Promise<Outcome> {
  try {
    return judge(await asked);
  } catch (error) {
    if (error instanceof CliError) {
      return { code: 2, text: `has no answer: ${error.message}` };
    }
    throw error;
  }
}

/** Returns the exit code of several outcomes: an answer of something else weighs more than one that shows nothing. */
export function exitCodeFor(codes: Outcome['code'][]): Outcome['code'] {
  return ([1, 2] as const).find(code => codes.includes(code)) ?? 0;
}

/** The meaning of a status, by the first pattern that it matches. The gate's own is 401. */
const BY_STATUS: [status: RegExp, code: Outcome['code'], text: string][] = [
  [/^3/, 2, ', which is not followed: give the address that it leads to'],
  [/^(429|[5-9])/, 2, ': ask again once the backend is up'],
  [/^404/, 1, ': the gate is missing, or in report-only'],
  [/^(?!401)/, 1, ': something else answers for it'],
];

export function judge(answer: Answer): Outcome {
  const { status } = answer;
  const missing = missingParts(answer);
  const [, code, text] = BY_STATUS.find(([own]) => own.test(`${status}`)) ?? [
    status,
    missing === '' ? 0 : 1,
    missing === ''
      ? ' from the gate'
      : ` without ${missing}: something else answers for it, or removes these from the gate's answer`,
  ];
  return { code, text: `answers ${status}${text}`, status };
}

/** Names the parts of the gate's 401 that an answer lacks. */
function missingParts({ method, headers, body }: Answer): string {
  const challenge = headers.get('www-authenticate') ?? '';
  return compact([
    !headers.get(DECISION_HEADER) && DECISION_HEADER,
    !challenge.startsWith(CHALLENGE) && `WWW-Authenticate: ${CHALLENGE}`,
    method !== 'HEAD' && !isBackstageError(body) && "Backstage's JSON",
  ]).join(' and ');
}

function isBackstageError(body: string): boolean {
  const answer = attempt(JSON.parse, body);
  return isMatch(answer, {
    error: { name: 'AuthenticationError' },
    response: { statusCode: 401 },
  });
}
