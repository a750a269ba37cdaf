import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import { NotAllowedError } from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import type { Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { POLICY_PATH } from './ownRoutes';
import { authApiGateReadPermission } from './permissions';
import type { PolicyReport } from '../observability/describePolicy';

/**
 * `GET`: what can be reached without signing in, and what was decided since the start, as {@link PolicyReport}. For
 * services, and for users with the permission `auth.api-gate.read`; without `permission.enabled`, for services only.
 */
export function createPolicyRouter(options: {
  describe: () => PolicyReport;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  /** `permission.enabled`: without it, Backstage allows everything to everybody. */
  permissionEnabled: boolean;
}): Router {
  const { describe, httpAuth, permissions, permissionEnabled } = options;
  const router = PromiseRouter();
  router.get(POLICY_PATH, async (req, res) => {
    const credentials = await httpAuth.credentials(req, {
      allow: permissionEnabled ? ['user', 'service'] : ['service'],
    });
    const [{ result }] = await permissions.authorize(
      [{ permission: authApiGateReadPermission }],
      { credentials },
    );
    if (result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(
        `Reading the policy of the API gate needs the permission ${authApiGateReadPermission.name}`,
      );
    }
    res.json(describe());
  });
  return router;
}
