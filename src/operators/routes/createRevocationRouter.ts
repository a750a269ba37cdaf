import {
  AuthenticationError,
  ServiceUnavailableError,
} from '@backstage/errors';
import { json, Request, Response, Router } from 'express';
import PromiseRouter from 'express-promise-router';
import { tokenOf } from '../../gate/read/token';
import type { TokenCache } from '../../gate/verify/TokenCache';
import { Revocation, userKey } from '../../gate/sessions/Revocation';
import type { UserSignOut } from '../../store/revocations/createUserSignOut';
import type { Revocations } from '../../store/revocations/Revocations';
import type { GateAudit } from '../reports/GateAudit';
import { RateLimit } from '../../gate/util/RateLimit';
import {
  Principal,
  RouteAccess,
  authApiGateReadPermission,
  authApiGateRevokePermission,
  nameOf,
} from './RouteAccess';
import { REVOCATIONS_PATH } from '../../gate/read/requestLine';
import { readRevocationBody, toInstant } from './readRevocationBody';

const MINUTE_MS = 60_000;

// An operator ends the sessions of a team by hand or script; every replica keeps each row for a day.
const MAX_PER_USER = 30;

// A backend without the `auth` plugin posts the sign-outs of all its users.
const MAX_PER_SERVICE = 1_000;

const NOT_STORED =
  'Signed out at this replica; the others will follow once the database can be reached';

const OFFLINE_SESSIONS_KEPT =
  'Signed out, except that OAuth clients keep their refresh tokens until the auth plugin can be reached';

interface RevocationRoutes {
  access: RouteAccess;
  tokens: TokenCache;
  revocations: Revocations;
  signOutUser: UserSignOut;
  /** Records each revocation that a request has put in force, with what the answer has. */
  audit: Pick<GateAudit, 'revoked'>;
}

/**
 * Creates the routes of revocations, below the `auth` plugin: docs/reference/http-api.md has their bodies and answers. Backends without
 * that plugin poll the list, and post the sign-outs that they have answered.
 *
 * The answer is 503 while a revocation is in force at this replica only, or if the refresh tokens could not be ended. The gate retries in
 * the background.
 */
export function createRevocationRouter(options: RevocationRoutes): Router {
  const { access, revocations } = options;
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
    const { revocation, userEntityRef: sub, until } = body;
    if (revocation) {
      const caller = await access.assertService(
        req,
        authApiGateRevokePermission,
      );
      assertMayWrite(req, res, caller);
      const isStored = await revocations.revoke(revocation);
      const problem = isStored ? undefined : NOT_STORED;
      const answer = finish(options, caller, revocation, { problem });
      res.status(201).json(answer);
      return;
    }
    const caller =
      until === undefined
        ? await access.requireUserOrOperator(req, sub)
        : await access.requireOffboarder(req, sub);
    assertMayWrite(req, res, caller);
    const outcome = await endUser(options, sub, until);
    const answer = finish(options, caller, { scope: 'user', sub }, outcome);
    res.status(201).json(answer);
  });

  return router;
}

/** Ends all sessions of a user. `problem` is why not everything has ended everywhere. */
async function endUser(
  { signOutUser }: RevocationRoutes,
  sub: string,
  until?: number,
) {
  const { isStored, offlineSessions } = await signOutUser(
    sub,
    undefined,
    until,
  );
  const end = until === undefined ? {} : { until: toInstant(until) };
  if (offlineSessions === 'unreachable') {
    return { ...end, problem: OFFLINE_SESSIONS_KEPT };
  }
  const problem = isStored ? undefined : NOT_STORED;
  return { ...end, problem, offlineSessions };
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
  return (req: Request, res: Response, caller: Principal) => {
    // The claims may be forged: they may only refuse the request.
    const { session } = services.tokens.read(tokenOf(req) ?? '');
    if (session && services.revocations.isRevoked(session)) {
      throw new AuthenticationError('Invalid credentials');
    }
    const waitMs = limits[caller.type].take(userKey(nameOf(caller)));
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1000);
      res.setHeader('Retry-After', seconds);
      // Backstage has no error class for 429: its middleware answers with the `statusCode`.
      const message = `Too many sign-outs by this caller: try again in ${seconds} s`;
      const refused = { name: 'TooManyRequestsError', statusCode: 429 };
      throw Object.assign(new Error(message), refused);
    }
  };
}

/** Audits what a caller has revoked, and returns the body of the answer. Throws a ServiceUnavailableError if there is a problem. */
function finish(
  { audit }: RevocationRoutes,
  caller: Principal,
  revocation: Pick<Revocation, 'scope' | 'sub'>,
  { problem, ...answer }: { problem?: string; [field: string]: unknown },
) {
  audit.revoked(revocation, { by: nameOf(caller), problem, ...answer });
  if (problem) {
    throw new ServiceUnavailableError(problem);
  }
  return answer;
}
