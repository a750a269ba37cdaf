import type { Router } from 'express';
import PromiseRouter from 'express-promise-router';
import type { PolicyReport } from '../observability/describePolicy';
import { POLICY_PATH } from '../http/requestLine';
import type { RouteAccess } from './RouteAccess';

/**
 * Creates the router for `GET` of the {@link PolicyReport}: the public routes, and the counts of decisions since the start.
 * Services may read it, and operators and readers with the permission `auth.api-gate.read`.
 */
export function createPolicyRouter(options: {
  access: Pick<RouteAccess, 'requireReader'>;
  describe: () => Promise<PolicyReport>;
}): Router {
  const { access, describe } = options;
  const router = PromiseRouter();
  router.get(POLICY_PATH, async (req, res) => {
    await access.requireReader(req);
    res.json(await describe());
  });
  return router;
}
