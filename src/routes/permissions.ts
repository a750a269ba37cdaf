import { createPermission } from '@backstage/plugin-permission-common';

/**
 * Permission to read what the gate lets through, and what it has decided. Operators need it (`auth.apiGate.operators`);
 * services need none.
 *
 * @public
 */
export const authApiGateReadPermission = createPermission({
  name: 'auth.api-gate.read',
  attributes: { action: 'read' },
});

/**
 * Permission to end all sessions of another user. Operators need it (`auth.apiGate.operators`); services, and users for
 * themselves, need none.
 *
 * @public
 */
export const authApiGateRevokePermission = createPermission({
  name: 'auth.api-gate.revoke',
  attributes: { action: 'update' },
});
