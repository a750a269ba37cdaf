import type { Request, RequestHandler, Response } from 'express';
import { createDecisionId } from './Decision';
import { Refusal } from './Refusal';
import { expressPath } from './read/requestLine';
import { setRefusalHeaders } from './carryOut/answer';
import type { ApiGate } from './createApiGate';

/**
 * Refuses what the gate has not passed, so that no other mount of a plugin's router leads around it. In report-only, only a user who is
 * signed out is refused.
 */
export function requireGateDecision(
  pluginId: string,
  {
    decisions,
    findUndecidedOrder,
    observer,
    source,
  }: Pick<ApiGate, 'decisions' | 'findUndecidedOrder' | 'observer' | 'source'>,
): RequestHandler {
  const refuse = (req: Request, res: Response, refusal: Refusal): void => {
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
        ...(refusal.subject && { subject: refusal.subject }),
        ...(audit.clientAddress && { clientAddress: req.ip }),
      },
      refusal.error,
    );
    setRefusalHeaders(res, refusal, id);
  };
  return (req, res, next) => {
    if (decisions.hasPassed(req, pluginId)) {
      next();
      return;
    }
    const end = (refusal: Refusal | undefined): void => {
      if (refusal) {
        refuse(req, res, refusal);
      }
      next(refusal?.error);
    };
    if (source.current.isEnforced) {
      end(Refusal.because('missing-credentials'));
    } else if (decisions.get(req)?.plugin === pluginId.toLowerCase()) {
      // The gate has looked up the tokens.
      next();
    } else {
      findUndecidedOrder(req, pluginId)
        .catch(() => Refusal.because('failed'))
        .then(end);
    }
  };
}
