import type { LoggerService } from '@backstage/backend-plugin-api';
import type { Response } from 'express';
import { DECISION_HEADER } from '../decision/createDecisionId';
import { Refusal } from '../decision/Refusal';
import { refuseUndecided } from '../decision/refuseUndecided';

/** Refuses a request for which the gate itself has failed. Returns the error that answers it. */
export function failClosed(
  error: unknown,
  res: Response,
  logger: LoggerService,
): Error {
  const refusal = Refusal.failed;
  const headers = refuseUndecided(refusal, logger, error);
  if (!res.headersSent) {
    res.setHeader(DECISION_HEADER, headers[DECISION_HEADER]);
  }
  return refusal.error;
}
