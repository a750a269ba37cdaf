import { createPermission } from '@backstage/plugin-permission-common';

/**
 * Permission to end all sessions of a user. Services need none.
 *
 * @public
 */
export const authApiGateRevokePermission = createPermission({
  name: 'auth.api-gate.revoke',
  attributes: { action: 'update' },
});
