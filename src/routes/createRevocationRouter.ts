import type {
  BackstageServicePrincipal,
  BackstageUserPrincipal,
} from '@backstage/backend-plugin-api';
import {
  AuthenticationError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { json, Request, Response, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { tokenOf } from '../credentials/boundToken';
import type { TokenCache } from '../credentials/TokenCache';
import type { UserSignOut } from '../revocation/createUserSignOut';
import type { Revocation } from '../revocation/Revocation';
import type { Revocations } from '../revocation/Revocations';
import { userKey } from '../util/entityRef';
import { RateLimit } from '../util/RateLimit';
import {
  RouteAccess,
  authApiGateReadPermission,
  authApiGateRevokePermission,
} from './RouteAccess';
import { REVOCATIONS_PATH } from '../http/backstagePaths';
import { readRevocationBody } from './readRevocationBody';

const MINUTE_MS = 60_000;

// An operator ends the sessions of a team by hand or script; every replica keeps each row for a day.
const MAX_PER_USER = 30;

// A backend without the `auth` plugin posts the sign-outs of all its users.
const MAX_PER_SERVICE = 1_000;

const NOT_STORED =
  'Signed out at this replica; the others will follow once the database can be reached';

const OFFLINE_SESSIONS_KEPT =
  'Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached';

/** The services that the routes of revocations need. */
interface RevocationRoutes {
  access: RouteAccess;
  tokens: TokenCache;
  revocations: Revocations;
  signOutUser: UserSignOut;
  /** Called with each revocation that a request has put in force. */
  onRevoked(
    revocation: Revocation,
    outcome: { error?: Error; offlineSessions?: unknown },
  ): void;
}

/**
 * Creates the routes of revocations, below the `auth` plugin:
 *
 * - `GET ?since=` (services): `{ revocations, cursor, hasMore }`, the first page of all live revocations. `?since=<cursor>`
 *   returns the next page, or the revocations that were recorded since. Backends without the `auth` plugin poll this route.
 * - `POST { sub, iat, exp, scope? }` (services): ends a session, or with scope `user` all tokens that were issued up to `iat`.
 *   The calling backend has verified the token and answered a sign-out.
 * - `POST { userEntityRef }` (services, users for themselves, and operators with the permission `auth.api-gate.revoke`): ends
 *   every session of that user issued up to now, and the refresh tokens of OAuth clients. The answer has the result for those: `{
 *   offlineSessions: { ended: 2 } }`, or `'disabled'` or `'unsupported'`.
 *
 * 201 once the revocation is stored; 503 while it is in force at this replica only, or if the refresh tokens could not be ended:
 * the gate retries both in the background. 400 names the field of an invalid body. 429 for a caller that exceeds its limit of
 * writes.
 */
export function createRevocationRouter(options: RevocationRoutes): Router {
  const { access, revocations, signOutUser } = options;
  const assertMayWrite = createWriteLimit(options);
  const router = PromiseRouter();

  router.get(REVOCATIONS_PATH, async (req, res) => {
    await access.assertService(req, authApiGateReadPermission);
    const { since } = req.query;
    const cursor = typeof since === 'string' ? since : undefined;
    res.json(await revocations.readPage(cursor));
  });

  router.post(REVOCATIONS_PATH, json(), async (req, res) => {
    const body = readRevocationBody(req.body);
    const permission = authApiGateRevokePermission;
    if ('revocation' in body) {
      const caller = await access.assertService(req, permission);
      assertMayWrite(req, res, caller);
      const { revocation } = body;
      const isStored = await revocations.revoke(revocation);
      finish(res, options, revocation, isStored ? undefined : NOT_STORED);
      return;
    }
    const { userEntityRef } = body;
    const caller = await access.requireUserOrOperator(
      req,
      permission,
      userEntityRef,
    );
    assertMayWrite(req, res, caller);
    const { revocation, isStored, offlineSessions } = await signOutUser(
      userEntityRef,
      { offlineSessions: 'end' },
    );
    if (offlineSessions === 'unreachable') {
      finish(res, options, revocation, OFFLINE_SESSIONS_KEPT);
    } else {
      const problem = isStored ? undefined : NOT_STORED;
      finish(res, options, revocation, problem, offlineSessions);
    }
  });

  return router;
}

/**
 * Makes a function that authorizes a caller when its body is complete, right before the write: otherwise a client could hold back
 * the bodies of many requests until all of them were admitted.
 */
function createWriteLimit(services: RevocationRoutes) {
  const limits = {
    user: new RateLimit({ max: MAX_PER_USER, intervalMs: MINUTE_MS }),
    service: new RateLimit({ max: MAX_PER_SERVICE, intervalMs: MINUTE_MS }),
  };
  return (
    req: Request,
    res: Response,
    caller: BackstageUserPrincipal | BackstageServicePrincipal,
  ) => {
    // The claims may be forged: they may only refuse the request.
    const { session } = services.tokens.read(tokenOf(req) ?? '');
    if (session && services.revocations.isRevoked(session)) {
      throw new AuthenticationError('Invalid credentials');
    }
    const waitMs =
      caller.type === 'user'
        ? limits.user.take(userKey(caller.userEntityRef))
        : limits.service.take(caller.subject);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      res.setHeader('Retry-After', seconds);
      throw tooManyRevocations(seconds);
    }
  };
}

/** @throws ServiceUnavailableError if there is a problem */
function finish(
  res: Response,
  { onRevoked }: RevocationRoutes,
  revocation: Revocation,
  problem: string | undefined,
  offlineSessions?: unknown,
) {
  const error = problem ? new ServiceUnavailableError(problem) : undefined;
  onRevoked(revocation, { error, offlineSessions });
  if (error) {
    throw error;
  }
  res.status(201).json({ offlineSessions });
}

/** 429, which has no error class in Backstage: its middleware answers with the `statusCode`. */
function tooManyRevocations(seconds: number): Error {
  const error = new Error(
    `Too many sign-outs by this caller: try again in ${seconds} s`,
  );
  return Object.assign(error, {
    name: 'TooManyRequestsError',
    statusCode: 429,
  });
}
