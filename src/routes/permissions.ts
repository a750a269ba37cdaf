import { createPermission } from '@backstage/plugin-permission-common';

/**
 * Permission to read the gate's policy and its decisions. Operators need it (`auth.apiGate.operators`); services do not.
 *
 * @public
 */
export const authApiGateReadPermission = createPermission({
  name: 'auth.api-gate.read',
  attributes: { action: 'read' },
});

/**
 * Permission to end all sessions of another user. Operators need it (`auth.apiGate.operators`); services, and users for
 * themselves, do not.
 *
 * @public
 */
export const authApiGateRevokePermission = createPermission({
  name: 'auth.api-gate.revoke',
  attributes: { action: 'update' },
});
