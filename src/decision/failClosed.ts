import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { createDecisionId } from './Decision';
import { Refusal } from './Refusal';

/** Returns the refusal for any error on a request's way, so that an unexpected error ends closed, and logs that one. */
export function toRefusal(error: unknown, logger: LoggerService): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (isError(error) && error.name === 'ServiceUnavailableError') {
    return new Refusal('starting', error.message);
  }
  logger.error('API gate failed to decide about a request', error as Error);
  return Refusal.because('failed');
}

/**
 * Logs a refusal that no observer receives, because the backend stops or the gate itself has failed. Never throws.
 *
 * @returns the id of the decision
 */
export function refuseUndecided(
  refusal: Refusal,
  logger: LoggerService,
  error?: unknown,
): string {
  const { reason } = refusal;
  const decision = createDecisionId();
  const errorType = isError(error) ? error.name : typeof error;
  try {
    const level = error === undefined ? 'info' : 'error';
    logger[level]('API gate refused a request', {
      reason,
      decision,
      ...(error !== undefined && { errorType }),
    });
  } catch {
    // The answer must not depend on the log.
  }
  return decision;
}
