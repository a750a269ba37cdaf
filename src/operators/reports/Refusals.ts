import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest } from '../../gate/GateObserver';
import { withoutQuery } from '../../gate/read/requestLine';
import { keyOf, Used } from '../../store/usage/Use';
import { hideTokens, productOf } from '../hideTokens';
import { shorten } from '../../settings/logLine';
import type { AnswerKind } from './Answer';

/** The number of refusals that are kept. Each further one replaces the oldest. */
const MAX_REFUSALS = 200;

/** The number of minutes whose refusals are counted: the current one and those before it. */
const MINUTES = 60;
const MINUTE_MS = 60_000;

/** The number of different requests whose last client is kept. Clients choose the paths, so the number needs a limit. */
const MAX_CLIENTS = 500;

/** The bytes of a subject in a report, which the issuer of a token chooses. The rest of a longer one is left out. */
const MAX_SUBJECT_BYTES = 1_000;

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

/** Keeps what the reports have of the refusals of this process. The memory is bounded in a flood. */
export class Refusals {
  readonly #startedAt = Date.now();
  readonly #last: ReportedRefusal[] = [];
  /** The number of refusals by reason, by the number of minutes since the epoch. */
  readonly #minutes = new LRUCache<number, Record<string, number>>({
    max: MINUTES,
  });
  /** The last product that has made a request which worked. */
  readonly #userAgents = new LRUCache<string, string>({ max: MAX_CLIENTS });

  add(
    plugin: string,
    { method, reportedPath = '', userAgent }: DecidedRequest,
    decision: Decision,
  ): ReportedRefusal {
    const { clientAddress = '', detail, outcome, reason } = decision;
    const { subject } = decision;
    const now = Date.now();
    const refusal: ReportedRefusal = {
      id: decision.id ?? '',
      time: new Date(now).toISOString(),
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
    const reasons = this.#minutes.get(minuteOf(now)) ?? {};
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    this.#minutes.set(minuteOf(now), reasons);
    return refusal;
  }

  worked(used: Used, { userAgent }: ReportedRefusal): void {
    this.#userAgents.set(keyOf(used), userAgent);
  }

  userAgentOf(used: Used): string | undefined {
    return this.#userAgents.get(keyOf(used));
  }

  /** Describes the refusals of this process: in report-only, the requests that would have been refused. */
  describe() {
    const firstMinute = minuteOf(Date.now()) - MINUTES + 1;
    const timeOf = (instant: number) => new Date(instant).toISOString();
    return {
      refusals: {
        since: timeOf(Math.max(this.#startedAt, firstMinute * MINUTE_MS)),
        minutes: [...this.#minutes]
          .filter(([minute]) => minute >= firstMinute)
          .sort(([a], [b]) => a - b)
          .map(([minute, reasons]) => ({
            minute: timeOf(minute * MINUTE_MS),
            reasons: { ...reasons },
          })),
        // Copies, since the answer to a request comes later.
        last: this.#last.map(each => ({ ...each })).reverse(),
      },
    };
  }
}

function minuteOf(time: number): number {
  return Math.floor(time / MINUTE_MS);
}
