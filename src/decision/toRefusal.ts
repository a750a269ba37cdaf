import type { LoggerService } from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import { Refusal } from './Refusal';

/** Returns the refusal for any error on a request's way, so that an unexpected error ends closed, and logs that one. */
export function toRefusal(error: unknown, logger: LoggerService): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (isError(error) && error.name === 'ServiceUnavailableError') {
    return Refusal.starting(error.message);
  }
  logger.error('API gate failed to judge a request', error as Error);
  return Refusal.failed;
}
