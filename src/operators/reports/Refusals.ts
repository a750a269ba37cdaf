import { isIP } from 'node:net';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest } from '../../gate/GateObserver';
import { withoutQuery } from '../../gate/read/requestLine';
import { hideTokens, productOf } from '../hideTokens';
import { shorten } from '../../settings/logLine';
import type { AnswerKind } from './Answer';

/** The number of refusals that are kept. Each further one replaces the oldest. */
const MAX_REFUSALS = 200;

/** The bytes of a subject in a report, which the issuer of a token chooses. The rest of a longer one is left out. */
export const MAX_SUBJECT_BYTES = 1_000;

/** A request that was refused, or would have been in report-only. It holds no token and no query. docs/reference/http-api.md describes each field. */
export interface ReportedRefusal extends Pick<
  Decision,
  'detail' | 'outcome' | 'reason' | 'subject'
> {
  id: string;
  time: string;
  plugin: string;
  method: string;
  path: string;
  address?: string;
  userAgent?: string;
  /** In report-only: what came of the request. Absent until it is answered. */
  answer?: AnswerKind;
}

/** Keeps the last refusals of this process in full. The memory is bounded in a flood. */
export class Refusals {
  readonly #last: ReportedRefusal[] = [];

  add(
    plugin: string,
    { method, reportedPath = '', userAgent }: DecidedRequest,
    decision: Decision,
  ): ReportedRefusal {
    const { clientAddress = '', detail, outcome, reason } = decision;
    const { subject } = decision;
    const refusal: ReportedRefusal = {
      id: decision.id ?? '',
      time: new Date().toISOString(),
      outcome,
      reason,
      detail,
      plugin,
      method,
      // A target such as `foo://any/api/x` has no path.
      path: hideTokens(withoutQuery(reportedPath)),
      subject: subject && shorten(subject, MAX_SUBJECT_BYTES),
      // A trusted proxy may forward any text that a client sent as its address.
      address: isIP(clientAddress) ? clientAddress : undefined,
      userAgent: productOf(userAgent),
    };
    this.#last.push(refusal);
    if (this.#last.length > MAX_REFUSALS) {
      this.#last.shift();
    }
    return refusal;
  }

  /** Returns copies, the newest first: the answer to a request comes later. */
  list(): ReportedRefusal[] {
    return this.#last.map(each => ({ ...each })).reverse();
  }
}
