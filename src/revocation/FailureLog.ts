import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';

// A single failure may be the start of the other backend, or a short disturbance.
const FAILURES_BEFORE_WARNING = 3;

/** Logs once that an operation keeps failing, and once that it works again. */
export class FailureLog {
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
      const { code } = error as { code?: unknown };
      this.logger.warn(this.messages.failing, {
        errorType: isError(error) ? error.name : typeof error,
        // Logs the code of the database or of the connection, such as 42P01 for a missing table. The message may hold data.
        ...(typeof code === 'string' && { code }),
      });
    }
  }
}
