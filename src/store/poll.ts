import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { clamp } from 'lodash';

// A single failure may be the start of the other backend, or a short disturbance.
const FAILURES_BEFORE_WARNING = 3;

// A refused connection fails faster. The next run costs the other side little then, so it need not wait.
const SLOW_MS = 1_000;
const FIRST_BACKOFF_MS = 2_000;
const LAST_BACKOFF_MS = 8_000;

export interface PollOptions {
  /** Returns the wait between the end of a run and the next run, in milliseconds. Each run is followed by a call. */
  intervalMs(): number;
  /** Ends polling. A run in progress goes on. */
  signal: AbortSignal;
  /** Logs once that runs keep failing, and once that they work again. Without it, errors are ignored. */
  log?: { logger: LoggerService; failing: string; again: string };
}

/**
 * Runs a function at intervals, one run at a time, until the signal aborts. A failure does not end polling. Between runs that time
 * out, the wait doubles from two seconds to eight, if the interval is shorter. It varies, so that replicas do not stay in step. The
 * timer does not keep the process alive.
 *
 * @returns a promise that resolves after the first run, whether or not it succeeded
 */
export async function poll(
  run: () => unknown,
  { intervalMs, signal, log }: PollOptions,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let backoffMs = 0;

  const runOnce = async () => {
    const startedAt = performance.now();
    try {
      await run();
      if (failures >= FAILURES_BEFORE_WARNING) {
        log?.logger.info(log.again);
      }
      failures = 0;
      backoffMs = 0;
    } catch (error) {
      failures += 1;
      if (failures === FAILURES_BEFORE_WARNING) {
        log?.logger.warn(log.failing, describeError(error));
      }
      if (performance.now() - startedAt >= SLOW_MS) {
        backoffMs = clamp(2 * backoffMs, FIRST_BACKOFF_MS, LAST_BACKOFF_MS);
      }
    }
    if (!signal.aborted) {
      const backoff = backoffMs * (0.7 + 0.2 * Math.random());
      timer = setTimeout(runOnce, Math.max(intervalMs(), backoff)).unref();
    }
  };

  signal.addEventListener('abort', () => clearTimeout(timer));
  await runOnce();
}

/** Returns the kind of an error for the log. The message may hold data. */
function describeError(error: unknown) {
  // The code of the database or of the connection, such as 42P01 for a missing table.
  const { code } = Object(error);
  return {
    errorType: isError(error) ? error.name : typeof error,
    ...(typeof code === 'string' && { code }),
  };
}
