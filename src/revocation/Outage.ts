import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';

// A single failure is the other backend's start, or a moment's.
const FAILURES_BEFORE_WARNING = 3;

/** Tells once of something that goes on failing, and once that it works again. */
export class Outage {
  #failures = 0;

  constructor(
    private readonly logger: LoggerService,
    private readonly messages: { failing: string; again: string },
  ) {}

  succeeded() {
    if (this.#failures >= FAILURES_BEFORE_WARNING) {
      this.logger.info(this.messages.again);
    }
    this.#failures = 0;
  }

  failed(error: unknown) {
    this.#failures += 1;
    if (this.#failures === FAILURES_BEFORE_WARNING) {
      this.logger.warn(this.messages.failing, {
        errorType: isError(error) ? error.name : typeof error,
      });
    }
  }
}
