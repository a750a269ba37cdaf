import {
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type { RequestHandler } from 'express';
import onHeaders from 'on-headers';
import type { Decisions } from '../src/decision/Decision';
import { apiGateServiceRef } from '../src/services/apiGateService';

let decisions: Decisions | undefined;

/** Provides the gate's decisions to the page. A production backend does not expose them. */
export const decisionHeaderServiceFactory = createServiceFactory({
  service: createServiceRef<{}>({ id: 'dev.decisionHeader', scope: 'root' }),
  initialization: 'always',
  deps: { gate: apiGateServiceRef },
  factory({ gate }) {
    decisions = gate.decisions;
    return {};
  },
});

/** Sets a response header with the reason why the gate passed or refused the request. */
export const decisionHeader: RequestHandler = (req, res, next) => {
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
