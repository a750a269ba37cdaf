import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { AuthorizeResult } from '@backstage/plugin-permission-common';

const deny = async () => [{ result: AuthorizeResult.DENY }];

/** Replaces the permission system by a policy that denies everything. */
export const deniedPermissions = createServiceFactory({
  service: coreServices.permissions,
  deps: {},
  factory: () => ({
    authorize: deny as never,
    authorizeConditional: deny as never,
  }),
});
