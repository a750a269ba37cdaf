import {
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type { RequestHandler } from 'express';
import onHeaders from 'on-headers';
import type { Decisions } from '../src/gate/Decision';
import { withoutQuery } from '../src/gate/read/requestLine';
import { apiGateServiceRef } from '../src/backstage/apiGateService';

const MAX_PATH = 120;

/** A decision as the page shows it, without the query and the credential of the request. */
export interface ShownDecision {
  time: string;
  method: string;
  path: string;
  outcome: string;
  reason: string;
}

/**
 * Provides a gate's decisions to the page: in a header of each answer, and to a callback. A production backend does not expose
 * them.
 */
export function showDecisions(onDecision: (decision: ShownDecision) => void) {
  let decisions: Decisions | undefined;
  const feature = createServiceFactory({
    service: createServiceRef<{}>({ id: 'dev.decisions', scope: 'root' }),
    initialization: 'always',
    deps: { gate: apiGateServiceRef },
    factory({ gate }) {
      decisions = gate.decisions;
      const { observer } = gate;
      const report = observer.decided.bind(observer);
      observer.decided = (request, decision, error) => {
        report(request, decision, error);
        const path = `/api/${decision.plugin}${withoutQuery(request.reportedPath ?? '')}`;
        onDecision({
          time: new Date().toISOString(),
          method: request.method,
          path: path.slice(0, MAX_PATH),
          outcome: decision.outcome,
          reason: decision.reason,
        });
      };
      return {};
    },
  });

  /** Sets a response header with the reason why the gate passed or refused the request. */
  const header: RequestHandler = (req, res, next) => {
    onHeaders(res, () => {
      const decision = decisions?.get(req);
      if (decision) {
        const { outcome, reason, rule } = decision;
        res.setHeader(
          'X-Api-Gate',
          `${outcome}: ${reason}${
            rule ? ` ${rule.methods} ${rule.plugin} ${rule.path}` : ''
          }`,
        );
      }
    });
    next();
  };
  return { feature, header };
}
