import type { LoggerService } from '@backstage/backend-plugin-api';
import type { AllowRule } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import { DAY_MS } from '../util/day';

/** Times before the end of a rule from which on it is announced, from the last to the first. */
const NOTICES = [
  { ms: 0, text: undefined },
  { ms: DAY_MS, text: 'within a day' },
  { ms: 7 * DAY_MS, text: 'within 7 days' },
];

// The clock of the machine may be set forward, which no timer notices.
const MAX_WAIT_MS = 60 * 60 * 1000;

/** A rule that ends soon, or has ended. */
export interface RuleEnd {
  /** The time before the end from which on this is said, in milliseconds; 0 if the rule has ended. */
  noticeMs: number;
  /** The line to log; it begins with the rule's config path. */
  message: string;
}

/** Describes the end of a rule if it is at most 7 days away, or has passed. */
export function describeEnd(
  { until, plugin, path }: AllowRule,
  index: number,
  now: number,
): RuleEnd | undefined {
  const notice = NOTICES.find(
    ({ ms }) => until !== undefined && now >= until - ms,
  );
  if (until === undefined || !notice) {
    return undefined;
  }
  const at = new Date(until).toISOString();
  const name = `${CONFIG_KEY}.allow[${index}]`;
  return {
    noticeMs: notice.ms,
    message: notice.text
      ? `${name} ends ${notice.text}, at ${at}: from then on ${path} of the plugin ${plugin} is closed`
      : `${name} has ended, at ${at}, and ${path} of the plugin ${plugin} is closed: remove the rule, or write a later until`,
  };
}

/** Logs that allow rules end: 7 days before, a day before, and when they have ended. The rules close without it. */
export class RuleEnds {
  /** The notice that was logged last, by rule. */
  #logged = new Map<string, number>();
  #rules: readonly AllowRule[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly logger: LoggerService,
    private readonly now: () => number,
  ) {}

  /** Follows these rules instead of others. What was logged about a rule that stays is not logged again. */
  follow(rules: readonly AllowRule[]): void {
    this.#rules = rules;
    this.#update();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #update() {
    clearTimeout(this.#timer);
    const now = this.now();
    const logged = new Map<string, number>();
    let wait = Infinity;
    this.#rules.forEach((rule, i) => {
      const { plugin, path, methods, until } = rule;
      if (until === undefined) {
        return;
      }
      const key = `${methods} ${plugin}${path} ${until}`;
      const end = describeEnd(rule, i, now);
      if (end) {
        logged.set(key, end.noticeMs);
        if (end.noticeMs !== this.#logged.get(key)) {
          this.logger.warn(end.message);
        }
      }
      const next = NOTICES.findLast(({ ms }) => now < until - ms);
      wait = Math.min(wait, next ? until - next.ms - now : Infinity);
    });
    this.#logged = logged;
    if (wait < Infinity) {
      this.#timer = setTimeout(
        () => this.#update(),
        Math.min(wait, MAX_WAIT_MS),
      );
      this.#timer.unref();
    }
  }
}
