import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import {
  InputError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { AuthorizeResult } from '@backstage/plugin-permission-common';
import { json, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { OWN_ROUTES_PATH } from '../request/isPublicByNature';
import { authApiGateRevokePermission } from '../permissions';
import {
  Revocation,
  revocationOfSession,
  revocationOfUser,
} from './Revocation';
import type { Revocations } from './Revocations';

/** Below the `auth` plugin. */
export const REVOCATIONS_PATH = `${OWN_ROUTES_PATH}/v1/revocations`;

/**
 * The routes of revocations, below the `auth` plugin:
 *
 * - `GET` (services): `{ revocations }`, all that are live. Backends without the `auth` plugin follow them.
 * - `POST { sub, iat, exp, scope? }` (services): ends a session, or with scope `user` what was issued up to `iat`. Such a
 *   backend has verified the token, and answered a sign-out.
 * - `POST { userEntityRef }` (services, and users with the permission `auth.api-gate.revoke`): ends every session of that
 *   user issued up to now.
 *
 * 201 once the revocation is stored; 503 while it is in force at this replica only. 400 names the field of a bad body.
 */
export function createRevocationRouter(options: {
  revocations: Revocations;
  httpAuth: HttpAuthService;
  permissions: PermissionsService;
  /** Called with what a request has ended. */
  onRevoked(revocation: Revocation, error?: Error): void;
  /** `permission.enabled`: without it, Backstage allows everything to everybody. */
  permissionEnabled: boolean;
}): Router {
  const { revocations, httpAuth, permissions, permissionEnabled } = options;
  const { onRevoked } = options;
  const router = PromiseRouter();
  router.use(json());

  router.get(REVOCATIONS_PATH, async (req, res) => {
    await httpAuth.credentials(req, { allow: ['service'] });
    res.json({ revocations: await revocations.load() });
  });

  router.post(REVOCATIONS_PATH, async (req, res) => {
    const body = readObject(req.body);
    let revocation: Revocation;
    if (body.userEntityRef === undefined) {
      await httpAuth.credentials(req, { allow: ['service'] });
      revocation = readRevocation(body);
    } else {
      const userEntityRef = readUserEntityRef(body);
      await requireMayRevoke(req, userEntityRef);
      revocation = revocationOfUser(userEntityRef);
    }
    try {
      await revocations.revoke(revocation);
    } catch {
      const error = notStored();
      onRevoked(revocation, error);
      throw error;
    }
    onRevoked(revocation);
    res.status(201).json({});
  });

  async function requireMayRevoke(
    req: Parameters<HttpAuthService['credentials']>[0],
    userEntityRef: string,
  ) {
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [{ result }] = await permissions.authorize(
      [{ permission: authApiGateRevokePermission }],
      { credentials },
    );
    const { principal } = credentials;
    const isOthers =
      principal.type === 'user' &&
      principal.userEntityRef.toLocaleLowerCase('en-US') !==
        userEntityRef.toLocaleLowerCase('en-US');
    if (result !== AuthorizeResult.ALLOW || (isOthers && !permissionEnabled)) {
      throw new NotAllowedError(
        `Ending the sessions of a user needs the permission ${authApiGateRevokePermission.name}${
          permissionEnabled ? '' : ', and permission.enabled'
        }`,
      );
    }
  }

  return router;
}

/** 503 for a sign-out that is in force here, but not yet at other replicas. */
export function notStored(): Error {
  return new ServiceUnavailableError(
    'Signed out at this replica; the others will follow once the database can be reached',
  );
}

function readObject(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new InputError('The body must be a JSON object with userEntityRef');
  }
  return body as Record<string, unknown>;
}

function readUserEntityRef(body: Record<string, unknown>): string {
  const { userEntityRef, ...others } = body;
  if (
    typeof userEntityRef !== 'string' ||
    !/^[\w.-]+:[\w.-]+\/[\w.-]+$/.test(userEntityRef)
  ) {
    throw new InputError(
      'userEntityRef must be a full entity reference, such as user:default/jane',
    );
  }
  rejectUnknown(others);
  return userEntityRef;
}

function readRevocation(body: Record<string, unknown>): Revocation {
  const { sub, iat, exp, scope = 'session', ...others } = body;
  if (typeof sub !== 'string' || !/^[\x20-\x7e]{1,1000}$/.test(sub)) {
    throw new InputError('userEntityRef, or sub of printable text, is missing');
  }
  if (!Number.isSafeInteger(iat)) {
    throw new InputError('iat must be a whole number of seconds');
  }
  if (!Number.isSafeInteger(exp)) {
    throw new InputError('exp must be a whole number of seconds');
  }
  if (scope !== 'session' && scope !== 'user') {
    throw new InputError('scope must be session or user');
  }
  rejectUnknown(others);
  return {
    ...revocationOfSession({ sub, iat: iat as number, exp: exp as number }),
    scope,
  };
}

function rejectUnknown(others: object) {
  for (const key of Object.keys(others)) {
    throw new InputError(`${key} is not known`);
  }
}
