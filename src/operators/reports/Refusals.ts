import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest } from '../../gate/GateObserver';
import { withoutQuery } from '../../gate/read/requestLine';
import { formatRule } from '../../gate/rules/AllowRule';
import { keyOf as keyOfUse, Used } from '../../store/usage/Use';
import { hideTokens, productOf } from '../hideTokens';
import { shorten } from '../../settings/logLine';
import type { AnswerKind } from './Answer';

/** The number of refusals that are kept. Each further one replaces the oldest. */
const MAX_REFUSALS = 200;

/** The number of minutes whose refusals are counted: the current one and those before it. */
const MINUTES = 60;
const MINUTE_MS = 60_000;

/** The number of groups of similar requests. Clients choose the paths, so that more would come. */
const MAX_GROUPS = 500;

// Routes of plugins look like this. Other paths come from scanners, and are of no use to an operator.
const USUAL_SEGMENT = /^[A-Za-z0-9\-._~]{1,64}$/;

/** The bytes of a subject in a report, which the issuer of a token chooses. The rest of a longer one is left out. */
const MAX_SUBJECT_BYTES = 1_000;

/** A request that was refused, or would have been in report-only. It holds no token and no query. docs/reference/http-api.md describes each field. */
export interface ReportedRefusal extends Pick<
  Decision,
  'detail' | 'outcome' | 'reason' | 'subject'
> {
  id: string;
  time: string;
  /** Id of an installed plugin, or the label for all others. */
  plugin: string;
  method: string;
  path: string;
  rule?: string;
  address?: string;
  userAgent?: string;
}

/** Similar requests that would have been refused, in report-only. A request without an answer is not among the answers yet. */
type WouldRefuse = ReturnType<typeof groupOf> & {
  count: number;
  answers: Partial<Record<AnswerKind, number>>;
};

/** Keeps what the reports have of the refusals of this process. The memory is bounded in a flood. */
export class Refusals {
  readonly #startedAt = Date.now();
  readonly #last: ReportedRefusal[] = [];
  /** The number of refusals by reason, by the number of minutes since the epoch. */
  readonly #minutes = new LRUCache<number, Record<string, number>>({
    max: MINUTES,
  });
  readonly #wouldRefuse = new Map<string, WouldRefuse>();
  #uncounted = 0;
  /** The last product that has made a request which worked. */
  readonly #userAgents = new LRUCache<string, string>({ max: MAX_GROUPS });

  /** @param plugin - id of an installed plugin, or the label for all others */
  add(
    plugin: string,
    { method, reportedPath = '', userAgent }: DecidedRequest,
    decision: Decision,
  ): ReportedRefusal {
    const { clientAddress = '', denial, detail, outcome, reason } = decision;
    const { subject } = decision;
    const now = Date.now();
    const refusal: ReportedRefusal = {
      id: decision.id ?? '',
      time: new Date(now).toISOString(),
      outcome,
      reason,
      detail,
      rule: denial && formatRule(denial),
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
    if (outcome === 'would-refuse') {
      this.#addWouldRefuse(refusal);
    }
    return refusal;
  }

  answered(refusal: ReportedRefusal, kind: AnswerKind): void {
    const group = this.#wouldRefuse.get(keyOf(refusal));
    if (group) {
      group.answers[kind] = (group.answers[kind] ?? 0) + 1;
    }
  }

  /** Keeps who has made a request that worked last. */
  worked(used: Used, { userAgent }: ReportedRefusal): void {
    this.#userAgents.set(keyOfUse(used), userAgent);
  }

  /** Returns the last product that this process has seen make such a request. */
  userAgentOf(used: Used): string | undefined {
    return this.#userAgents.get(keyOfUse(used));
  }

  /** Describes the refusals of this process, and in report-only the requests that would have been refused. */
  describe() {
    const firstMinute = minuteOf(Date.now()) - MINUTES + 1;
    const timeOf = (milliseconds: number) =>
      new Date(milliseconds).toISOString();
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
        last: [...this.#last].reverse(),
      },
      wouldRefuse: [...this.#wouldRefuse.values()],
      wouldRefuseUncounted: this.#uncounted,
    };
  }

  #addWouldRefuse(refusal: ReportedRefusal): void {
    const key = keyOf(refusal);
    const group = this.#wouldRefuse.get(key);
    if (group) {
      group.count += 1;
    } else if (this.#wouldRefuse.size < MAX_GROUPS) {
      const first = { ...groupOf(refusal), count: 1, answers: {} };
      this.#wouldRefuse.set(key, first);
    } else {
      this.#uncounted += 1;
    }
  }
}

/** Returns what the requests that an operator can treat alike have in common. */
function groupOf({ plugin, method, path }: ReportedRefusal) {
  const [, first = ''] = path.split('/', 2);
  const segment = first === '' || USUAL_SEGMENT.test(first) ? first : '…';
  return { plugin, method, segment };
}

function keyOf(refusal: ReportedRefusal): string {
  return Object.values(groupOf(refusal)).join(' ');
}

function minuteOf(time: number): number {
  return Math.floor(time / MINUTE_MS);
}
