import type { Router } from 'express';
import PromiseRouter from 'express-promise-router';
import type { PolicyReport } from '../observability/describePolicy';
import type { RouteAccess } from './createRouteAccess';
import { POLICY_PATH } from '../http/backstagePaths';
import { authApiGateReadPermission } from './permissions';

/**
 * `GET`: what can be reached without signing in, and what was decided since the start, as {@link PolicyReport}. For services
 * and operators with the permission `auth.api-gate.read`.
 */
export function createPolicyRouter(options: {
  access: RouteAccess;
  describe: () => PolicyReport;
}): Router {
  const { access, describe } = options;
  const router = PromiseRouter();
  router.get(POLICY_PATH, async (req, res) => {
    await access.requireOperator(req, authApiGateReadPermission);
    res.json(describe());
  });
  return router;
}
