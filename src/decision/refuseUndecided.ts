import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { createDecisionId } from './createDecisionId';
import type { Refusal } from './Refusal';

/**
 * Logs a refusal that no observer receives, because the backend stops or the gate itself has failed. Never throws.
 *
 * @returns the headers of the answer
 */
export function refuseUndecided(
  refusal: Refusal,
  logger: LoggerService,
  error?: unknown,
): Record<string, string> {
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
  return refusal.headersFor(decision);
}
