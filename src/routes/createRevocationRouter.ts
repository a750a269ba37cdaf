import type {
  HttpAuthService,
  PermissionsService,
} from '@backstage/backend-plugin-api';
import {
  InputError,
  NotAllowedError,
  ServiceUnavailableError,
} from '@backstage/errors';
import {
  AuthorizeResult,
  BasicPermission,
} from '@backstage/plugin-permission-common';
import { json, Request, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { REVOCATIONS_PATH } from './ownRoutes';
import {
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './permissions';
import {
  CLOCK_SKEW_SECONDS,
  isSameUser,
  LONGEST_SESSION_SECONDS,
  now,
  Revocation,
  revocationOfUser,
} from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';

const MAX_SUB_LENGTH = 1000;

/**
 * The routes of revocations, below the `auth` plugin:
 *
 * - `GET ?since=` (services): `{ revocations, cursor, hasMore }`, the first page of all that are live; `?since=<cursor>` the
 *   next one, or what was recorded since. Backends without the `auth` plugin follow them so. Without `since`, as version
 *   0.1.0 asks: `{ revocations }`, all at once.
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

  router.get(REVOCATIONS_PATH, async (req, res) => {
    await requireService(req, authApiGateReadPermission);
    const { since } = req.query;
    res.json(
      typeof since === 'string'
        ? await revocations.readPage(since || undefined)
        : { revocations: await revocations.load() },
    );
  });

  router.post(REVOCATIONS_PATH, json(), async (req, res) => {
    const body = readObject(req.body);
    let revocation: Revocation;
    if (body.userEntityRef === undefined) {
      await requireService(req, authApiGateRevokePermission);
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

  /** Backstage allows a service everything but what the access restrictions of an external token leave out. */
  async function requireService(req: Request, permission: BasicPermission) {
    const credentials = await httpAuth.credentials(req, { allow: ['service'] });
    const [{ result }] = await permissions.authorize([{ permission }], {
      credentials,
    });
    if (result !== AuthorizeResult.ALLOW) {
      throw new NotAllowedError(`This needs the permission ${permission.name}`);
    }
  }

  async function requireMayRevoke(req: Request, userEntityRef: string) {
    const permission = authApiGateRevokePermission;
    const credentials = await httpAuth.credentials(req, {
      allow: ['user', 'service'],
    });
    const [{ result }] = await permissions.authorize([{ permission }], {
      credentials,
    });
    const { principal } = credentials;
    const isOthers =
      principal.type === 'user' &&
      !isSameUser(principal.userEntityRef, userEntityRef);
    if (result !== AuthorizeResult.ALLOW || (isOthers && !permissionEnabled)) {
      throw new NotAllowedError(
        `Ending the sessions of a user needs the permission ${permission.name}${
          permissionEnabled ? '' : ', and permission.enabled'
        }`,
      );
    }
  }

  return router;
}

/** 503 for a sign-out that is in force here, but not yet at other replicas. */
function notStored(): Error {
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
    userEntityRef.length > MAX_SUB_LENGTH ||
    !/^[^\s:/]+:[^\s:/]+\/[^\s/]+$/.test(userEntityRef)
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
  if (sub === undefined) {
    throw new InputError('userEntityRef is missing');
  }
  if (
    typeof sub !== 'string' ||
    sub.length > MAX_SUB_LENGTH ||
    !/^\P{Cc}+$/u.test(sub)
  ) {
    throw new InputError('sub must be text without control characters');
  }
  if (!isSeconds(iat) || iat > now() + CLOCK_SKEW_SECONDS) {
    throw new InputError('iat must be a number of seconds in the past');
  }
  const latest = now() + LONGEST_SESSION_SECONDS + CLOCK_SKEW_SECONDS;
  if (!isSeconds(exp) || exp < iat || exp > latest) {
    throw new InputError(
      'exp must be a number of seconds after iat, at most a day from now',
    );
  }
  if (scope !== 'session' && scope !== 'user') {
    throw new InputError('scope must be session or user');
  }
  rejectUnknown(others);
  return { scope, sub, iat, exp };
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function rejectUnknown(others: object) {
  for (const key of Object.keys(others)) {
    throw new InputError(`${key} is not known`);
  }
}
