import type { Request, RequestHandler, Response } from 'express';
import { createDecisionId } from './Decision';
import { Refusal } from './Refusal';
import { expressPath } from './read/requestLine';
import { setRefusalHeaders } from './carryOut/answer';
import type { ApiGate } from './createApiGate';

/**
 * Refuses what the gate has not passed, so that no other mount of a plugin's router leads around it. In report-only, nothing is refused
 * here.
 */
export function requireGateDecision(
  pluginId: string,
  {
    decisions,
    observer,
    source,
  }: Pick<ApiGate, 'decisions' | 'observer' | 'source'>,
): RequestHandler {
  const refusal = Refusal.because('missing-credentials');
  const refuse = (req: Request, res: Response): void => {
    const id = createDecisionId();
    const { audit } = source.current.config;
    observer.decided(
      {
        method: req.method,
        reportedPath: expressPath(req),
        userAgent: req.headers['user-agent'],
      },
      {
        plugin: pluginId.toLowerCase(),
        outcome: 'refused',
        reason: refusal.reason,
        credential: 'none',
        id,
        ...(audit.clientAddress && { clientAddress: req.ip }),
      },
      refusal.error,
    );
    setRefusalHeaders(res, refusal, id);
  };
  return (req, res, next) => {
    if (decisions.hasPassed(req, pluginId) || !source.current.isEnforced) {
      next();
      return;
    }
    refuse(req, res);
    next(refusal.error);
  };
}
