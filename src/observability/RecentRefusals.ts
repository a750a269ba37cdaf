import { isIP } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Decision } from '../decision/Decision';
import type { ReportedRequest } from './DecisionCounts';
import { shorten } from '../util/logLine';

/** The number of refusals that are kept. Each further one replaces the oldest. */
const MAX_REFUSALS = 200;

/** The number of minutes whose refusals are counted: the current one and those before it. */
const MINUTES = 60;
const MINUTE_MS = 60_000;

/** The bytes of a text in a report that a client chooses, or the issuer of a token. The rest of a longer one is left out. */
export const MAX_FIELD_BYTES = 1_000;

/** A request that was refused, or would have been in report-only. */
export interface RecentRefusal
  extends
    ReportedRequest,
    Pick<Decision, 'detail' | 'outcome' | 'reason' | 'subject'> {
  /** The id of the decision, as the answer and the log have it. */
  id: string;
  time: string;
  /** The client's address, with `auth.apiGate.audit.clientAddress`. */
  address?: string;
}

/**
 * Keeps the last refusals in the memory of this process. The memory is bounded in a flood.
 */
export class RecentRefusals {
  readonly #startedAt = Date.now();
  readonly #last: RecentRefusal[] = [];
  /** The number of refusals by reason, by the number of minutes since the epoch. */
  readonly #minutes = new LRUCache<number, Record<string, number>>({
    max: MINUTES,
  });

  /** @param request - its path is by `hideTokens`, so that it is short */
  add({ plugin, method, path }: ReportedRequest, decision: Decision): void {
    const { detail, id = '', outcome, reason } = decision;
    const { clientAddress, subject } = clientOf(decision);
    const now = Date.now();
    this.#last.push({
      id,
      time: new Date(now).toISOString(),
      outcome,
      reason,
      detail,
      plugin,
      method,
      path,
      subject,
      address: clientAddress,
    });
    if (this.#last.length > MAX_REFUSALS) {
      this.#last.shift();
    }
    const reasons = this.#minutes.get(minuteOf(now)) ?? {};
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    this.#minutes.set(minuteOf(now), reasons);
  }

  /** Describes the refusals of this process, and in report-only the requests that would have been refused. */
  describe() {
    const firstMinute = minuteOf(Date.now()) - MINUTES + 1;
    const timeOf = (milliseconds: number) =>
      new Date(milliseconds).toISOString();
    return {
      /** The time from which `minutes` has all refusals. */
      since: timeOf(Math.max(this.#startedAt, firstMinute * MINUTE_MS)),
      /** The refusals of the last hour by reason, the oldest minute first. A minute without a refusal is left out. */
      minutes: [...this.#minutes]
        .filter(([minute]) => minute >= firstMinute)
        .sort(([a], [b]) => a - b)
        .map(([minute, reasons]) => ({
          minute: timeOf(minute * MINUTE_MS),
          reasons: { ...reasons },
        })),
      /** The last refusals, the newest first. */
      last: [...this.#last].reverse(),
    };
  }
}

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

function minuteOf(time: number): number {
  return Math.floor(time / MINUTE_MS);
}
