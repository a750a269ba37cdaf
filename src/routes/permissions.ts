import { createPermission } from '@backstage/plugin-permission-common';

/**
 * Permission to read what the gate lets through, and what it has decided. Services need none.
 *
 * @public
 */
export const authApiGateReadPermission = createPermission({
  name: 'auth.api-gate.read',
  attributes: { action: 'read' },
});

/**
 * Permission to end all sessions of a user. Services need none.
 *
 * @public
 */
export const authApiGateRevokePermission = createPermission({
  name: 'auth.api-gate.revoke',
  attributes: { action: 'update' },
});
