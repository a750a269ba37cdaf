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
    this.#rules.forEach(({ plugin, path, methods, until }, i) => {
      if (until === undefined) {
        return;
      }
      const key = `${methods} ${plugin}${path} ${until}`;
      const notice = NOTICES.find(({ ms }) => now >= until - ms);
      if (notice) {
        logged.set(key, notice.ms);
        if (notice.ms !== this.#logged.get(key)) {
          const name = `${CONFIG_KEY}.allow[${i}]`;
          const at = new Date(until).toISOString();
          this.logger.warn(
            notice.text
              ? `${name} ends ${notice.text}, at ${at}: from then on ${path} of the plugin ${plugin} is closed`
              : `${name} has ended, at ${at}, and ${path} of the plugin ${plugin} is closed: remove the rule, or write a later until`,
          );
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
