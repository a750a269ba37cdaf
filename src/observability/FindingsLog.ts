import type { LoggerService } from '@backstage/backend-plugin-api';
import { Finding, formatFinding } from '../findings/Finding';

// Some findings begin or end at a time of day.
const CHECK_MS = 60 * 60 * 1000;

/** Logs the findings once, and again when others are among them. */
export class FindingsLog {
  #logged: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly logger: LoggerService,
    private readonly find: () => Finding[],
  ) {}

  start(): void {
    this.update();
    this.#timer = setInterval(() => this.update(), CHECK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Logs the findings, unless these are the ones that were logged last. */
  update(): void {
    const findings = this.find();
    // The reasons hold numbers of days, which change from day to day.
    const identity = JSON.stringify(
      findings.map(({ id, at, accepted }) => [id, at, accepted]),
    );
    if (identity === this.#logged) {
      return;
    }
    this.#logged = identity;
    const open = findings.filter(({ accepted }) => !accepted).length;
    this.logger[open > 0 ? 'warn' : 'info'](
      [
        `API gate: ${open} finding(s), ${findings.length - open} accepted`,
        ...findings.map(formatFinding),
      ].join('\n  '),
      // The type for the data of a line has no arrays of interfaces.
      { findings: findings.map(finding => ({ ...finding })) },
    );
  }
}
