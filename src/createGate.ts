import type {
  BackstageCredentials,
  BackstageUserPrincipal,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { isError, ServiceUnavailableError } from '@backstage/errors';
import {
  BackstageIdentityResponse,
  tokenTypes,
} from '@backstage/plugin-auth-node';
import type { IncomingMessage } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import type { SignOutSettings } from './config/readSignOutSettings';
import type { CookieIssuer } from './cookie/CookieIssuer';
import type { GateCookie } from './cookie/GateCookie';
import {
  PresentedCredential,
  readBearer,
  readCredential,
} from './credential/readCredential';
import {
  PresentedToken,
  VerifiedCredential,
  verifyCredential,
  VerifyOptions,
} from './credential/verifyCredential';
import type { Decision, Decisions, PassReason } from './Decision';
import { pluginIdOf, TargetPlugin } from './Plugins';
import { Refusal } from './Refusal';
import type { AllowList } from './request/AllowList';
import { isPublicByNature } from './request/isPublicByNature';
import { isSignOutCall } from './request/isSignOutCall';
import {
  isPlainPath,
  pathBelowPlugin,
  staysWhereItIs,
  withoutQuery,
} from './request/requestTarget';
import { setRequestHeader } from './request/setRequestHeader';
import { decodeToken, userTokenOf } from './request/token';
import {
  requireNotRevoked,
  sessionClaimsOf,
} from './revocation/requireNotRevoked';
import { revocationOfSession, revocationOfUser } from './revocation/Revocation';
import type { Revocations } from './revocation/Revocations';

/** What the gate decides with. */
export interface GateOptions extends VerifyOptions {
  allowList: AllowList;
  decisions: Decisions;
  logger: LoggerService;
  revocations: Revocations;
  signOut: SignOutSettings;
  /** `undefined`: no cookie is read or issued. */
  cookie: GateCookie | undefined;
  /** `undefined`: no cookie is issued. */
  cookieIssuer(): CookieIssuer | undefined;
  /** Whether the cookies of a request don't count, since another site's page made the browser send it. */
  isCrossSite(req: IncomingMessage): boolean;
}

/**
 * The gate: an Express handler for `/api/:gatedPluginId`, in front of every plugin's own.
 *
 * What it refuses goes to `next` as an error of `@backstage/errors`, with the headers of the answer set.
 */
export function createGate(options: GateOptions): RequestHandler {
  const { allowList, cookie, decisions, isCrossSite, logger } = options;
  const { plugins, revocations, signOut } = options;

  /** A request's way through the gate. Returns if it may pass, and throws if it may not. */
  async function decide(req: Request, res: Response): Promise<Decision> {
    const plugin = plugins.targetOf(req);
    const pass = (reason: PassReason): Decision => ({
      plugin: plugin.id,
      reason,
      passed: true,
    });
    const path = pathBelowPlugin(req, plugin.mountedAs);

    // Only a path that reads the same to everyone may decide anything.
    if (path !== undefined && isPlainPath(path)) {
      if (isSignOutCall(plugin.id, req.method, path, signOut.providers)) {
        await endSession(req, res, plugin);
        removeGateCookies(req);
        return pass('sign-out');
      }
      if (isPublicByNature(plugin.id, req.method, path)) {
        refuseRevokedBearer(req, plugin);
        removeGateCookies(req);
        return pass('public-by-nature');
      }
      const rule = allowList.match(plugin.id, req.method, path);
      if (rule) {
        removeGateCookies(req);
        return { ...pass('allow-rule'), rule };
      }
    }

    await plugin.started();
    const presented = requireToken(
      readCredential(req, {
        cookie,
        acceptStockCookie: acceptsStockCookie(req, plugin, path),
      }),
    );
    if (presented.kind !== 'bearer' && isCrossSite(req)) {
      throw Refusal.crossSite();
    }
    const verified = await verifyCredential(req, plugin, presented, options);
    requireNotRevoked(verified, revocations);

    if (presented.kind === 'bearer') {
      await issueCookie(req, res, verified);
    }
    if (presented.kind === 'cookie') {
      setRequestHeader(req, 'authorization', `Bearer ${presented.token}`);
    }
    removeGateCookies(req);
    setIdentity(req, verified);
    return pass(presented.kind);
  }

  /**
   * Ends the session of a sign-out call's cookie, and of its bearer token if it has one. Without a cookie there is nothing
   * to end here: the call goes on to its handler as it came.
   *
   * @throws Refusal 403 if another site's page made the call, and 503 if it is not in force everywhere
   */
  async function endSession(req: Request, res: Response, plugin: TargetPlugin) {
    const present = cookie?.read(req.headers.cookie) ?? { kind: 'none' };
    if (present.kind === 'none') {
      return;
    }
    if (isCrossSite(req)) {
      throw Refusal.crossSite();
    }
    const sessions = [];
    if (present.kind === 'token') {
      const { token } = present;
      sessions.push(
        await verifiedSession(req, plugin, { kind: 'cookie', token }),
      );
    }
    const bearer = readBearer(req);
    if (bearer) {
      sessions.push(
        await verifiedSession(req, plugin, { kind: 'bearer', token: bearer }),
      );
    }
    clearCookie(req, res);
    const ended = sessions
      .filter(session => session !== undefined)
      .flatMap(session =>
        signOut.scope === 'user'
          ? [revocationOfSession(session), revocationOfUser(session.sub)]
          : [revocationOfSession(session)],
      );
    const results = await Promise.allSettled(
      ended.map(revocation => revocations.revoke(revocation)),
    );
    if (results.some(({ status }) => status === 'rejected')) {
      throw Refusal.unavailable(
        'sign-out-not-stored',
        'Signed out at this replica; the others follow once the database is back',
      );
    }
  }

  /** The session of a token that verifies, ended already or not: only such a one can be ended. */
  async function verifiedSession(
    req: Request,
    plugin: TargetPlugin,
    presented: PresentedToken,
  ) {
    try {
      const { userToken } = await verifyCredential(
        req,
        plugin,
        presented,
        options,
      );
      return userToken && sessionClaimsOf(userToken);
    } catch (error) {
      if (error instanceof Refusal && error.isFinal) {
        return undefined;
      }
      throw error;
    }
  }

  /**
   * Signing in is public, but not with what a sign-out has ended: such a token could otherwise get a new one. Decoding is
   * enough, as it can only refuse.
   */
  function refuseRevokedBearer(req: Request, plugin: TargetPlugin) {
    const bearer = plugin.id === 'auth' ? readBearer(req) : undefined;
    const decoded = bearer ? decodeToken(bearer) : undefined;
    const session = decoded && sessionClaimsOf(userTokenOf(decoded) ?? {});
    if (session && revocations.isRevoked(session)) {
      throw Refusal.invalidCredentials('revoked', 'Invalid credentials');
    }
  }

  function removeGateCookies(req: Request) {
    const header = req.headers.cookie;
    if (cookie && header) {
      const others = cookie.without(header);
      if (others !== header) {
        setRequestHeader(req, 'cookie', others);
      }
    }
  }

  function clearCookie(req: Request, res: Response) {
    const cleared = cookie?.clear(req.headers.cookie) ?? [];
    if (cleared.length > 0) {
      res.append('Set-Cookie', cleared);
      res.setHeader('Cache-Control', 'no-store');
    }
  }

  async function issueCookie(
    req: Request,
    res: Response,
    { credentials, token, decoded }: VerifiedCredential,
  ) {
    const issuer = options.cookieIssuer();
    if (
      !cookie ||
      !issuer ||
      req.method === 'OPTIONS' ||
      decoded?.typ !== tokenTypes.user.typParam ||
      !isUser(credentials) ||
      credentials.principal.actor ||
      // Another site could otherwise sign the browser in as somebody else.
      isCrossSite(req)
    ) {
      return;
    }
    try {
      await issuer.issueCookie({ credentials, token, req, res });
    } catch (error) {
      logger.warn('API gate issued no cookie: the issuer failed', {
        errorType: isError(error) ? error.name : typeof error,
      });
    }
  }

  function refuse(req: Request, res: Response, refusal: Refusal) {
    // Only the id of an installed plugin is logged: anything else is what a client made up.
    const id = pluginIdOf(req);
    const { reason } = refusal;
    decisions.set(req, { plugin: id, reason, passed: false });
    logger.info('API gate refused a request', {
      plugin: plugins.isInstalled(id) ? id : 'not installed',
      reason,
      method: req.method,
      // A target such as `foo://any/api/x` has none.
      path: withoutQuery(req.path ?? ''),
    });
    if (res.headersSent) {
      return;
    }
    refusal.applyTo(res);
    // A cookie that will never count again is taken back, so that the browser recovers.
    if (refusal.isFinal && !req.headers.authorization) {
      clearCookie(req, res);
    }
  }

  return (req, res, next) => {
    decide(req, res)
      .then(
        decision => {
          decisions.set(req, decision);
          return undefined;
        },
        error => {
          const refusal = toRefusal(error, logger);
          refuse(req, res, refusal);
          return refusal.error;
        },
      )
      // Whatever happens, `next` is called, and called once: without an error only where the decision is to pass.
      .catch(() => new ServiceUnavailableError('Credentials can not be judged'))
      .then(next);
  };
}

/** @throws Refusal unless a request presents exactly one credential, of a kind that the gate knows */
function requireToken(presented: PresentedCredential): PresentedToken {
  switch (presented.kind) {
    case 'none':
      throw Refusal.missingCredentials();
    case 'repeated-authorization':
      throw Refusal.invalidRequest(
        presented.kind,
        'More than one Authorization header',
      );
    case 'unsupported-scheme':
      throw Refusal.invalidCredentials(
        presented.kind,
        'The Authorization header must hold a bearer token',
      );
    case 'conflicting-cookies':
      throw Refusal.invalidCredentials(
        presented.kind,
        'More than one value for one cookie',
      );
    default:
      return presented;
  }
}

/** Backstage's own cookie may only read, and only where the plugin has said so. Elsewhere it is not looked at. */
function acceptsStockCookie(
  { method }: Request,
  plugin: TargetPlugin,
  path: string | undefined,
): boolean {
  return (
    path !== undefined &&
    (method === 'GET' || method === 'HEAD') &&
    staysWhereItIs(path) &&
    plugin.acceptsStockCookie(path)
  );
}

/** Sets `req.user` as Backstage's `IdentityApi` did, from the token alone. */
function setIdentity(
  req: Request,
  { credentials, token, decoded }: VerifiedCredential,
) {
  if (isUser(credentials)) {
    const user: BackstageIdentityResponse = {
      token,
      identity: {
        type: 'user',
        userEntityRef: credentials.principal.userEntityRef,
        ownershipEntityRefs: decoded?.ent ?? [],
      },
    };
    Object.assign(req, { user });
  }
}

function isUser(
  credentials: VerifiedCredential['credentials'],
): credentials is BackstageCredentials<BackstageUserPrincipal> {
  return credentials.principal.type === 'user';
}

/** Whatever goes wrong on a request's way ends closed. */
function toRefusal(error: unknown, logger: LoggerService): Refusal {
  if (error instanceof Refusal) {
    return error;
  }
  if (isError(error) && error.name === 'ServiceUnavailableError') {
    return Refusal.unavailable('starting', error.message);
  }
  logger.error('API gate failed to judge a request', error as Error);
  return Refusal.unavailable('failed', 'Credentials can not be judged');
}
