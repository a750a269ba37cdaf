import type { LoggerService } from '@backstage/backend-plugin-api';
import { Finding, formatFinding } from '../findings/Finding';
import { groupBySize, jsonBytes, shorten } from '../../settings/logLine';
import { titleOfPart } from './startLog';

// A finding has four texts that may be long, and a line has each twice.
const MAX_TEXT_BYTES = 600;

// Some findings begin or end at a time of day, and one ends soon after the start.
const CHECK_MS = 10 * 60_000;

/** Logs the findings once, and again when others are among them. */
export class FindingsLog {
  #logged: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly logger: LoggerService,
    private readonly find: () => Finding[],
    /** The address of the page that shows them, in a backend that has it. */
    private readonly page?: string,
  ) {}

  start(): void {
    this.update();
    this.#timer = setInterval(() => this.update(), CHECK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

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
    const title = `API gate: ${open} ${open === 1 ? 'finding' : 'findings'}, ${findings.length - open} accepted`;
    const parts = groupBySize(
      findings.map(shortenTexts),
      finding => jsonBytes(formatFinding(finding)) + jsonBytes(finding),
    );
    for (const [i, part] of parts.entries()) {
      this.logger[open > 0 ? 'warn' : 'info'](
        [titleOfPart(title, i, parts.length), ...part.map(formatFinding)].join(
          '\n  ',
        ),
        // The type for the data of a line has no arrays of interfaces.
        {
          findings: part.map(finding => ({ ...finding })),
          ...(this.page && { page: `${this.page}#findings` }),
        },
      );
    }
  }
}

function shortenTexts(finding: Finding): Finding {
  return JSON.parse(JSON.stringify(finding), (_, value) =>
    typeof value === 'string' ? shorten(value, MAX_TEXT_BYTES) : value,
  );
}
