import type {
  BackstageCredentials,
  BackstageUserPrincipal,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import type { BackstageIdentityResponse } from '@backstage/plugin-auth-node';
import type { Request, RequestHandler } from 'express';
import { clearCookie } from '../cookie/clearCookie';
import type { DecodedCookieIssuer } from '../cookie/createCookieIssuer';
import { GateCookie, MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import {
  readBearer,
  readCredential,
  STOCK_COOKIE,
} from '../credentials/readCredential';
import { requireToken } from '../credentials/requireToken';
import {
  VerifiedCredential,
  VerifyOptions,
  verifyTimed,
} from '../credentials/verifyCredential';
import type { Decision, Decisions, PassReason } from './Decision';
import { createSignOut } from './createSignOut';
import { judgeUpgrade } from './judgeUpgrade';
import type { Passage } from './Passage';
import { pluginIdOf, TargetPlugin } from '../plugins/Plugins';
import { classifyRoute } from '../policy/classifyRoute';
import type { Policy } from '../policy/Policy';
import { Refusal } from './Refusal';
import type { GateObserver } from '../observability/GateObserver';
import { nameOf, readCookies, withoutPairs } from '../cookie/cookiePairs';
import { isCookieEndpoint } from './isPublicByNature';
import {
  expressPath,
  pathBelowPlugin,
  staysWhereItIs,
} from '../http/requestTarget';
import { replaceCookies } from '../cookie/replaceCookies';
import { requestMethod, WEBSOCKET } from '../http/requestMethod';
import { setRequestHeader } from '../http/setRequestHeader';
import type { DecodedToken } from '../credentials/token';
import {
  requireNotRevoked,
  saysRevoked,
} from '../revocation/requireNotRevoked';
import type { Revocations } from '../revocation/Revocations';
import { toRefusal } from './toRefusal';

/** What the gate decides with. */
export interface GateOptions extends VerifyOptions {
  /** The policy in force. */
  policy(): Policy;
  decisions: Decisions;
  logger: LoggerService;
  observer: GateObserver;
  revocations: Revocations;
  /** `undefined`: no cookie is read or issued. */
  cookie: GateCookie | undefined;
  /** The `typ` of tokens that may become the cookie. */
  cookieTypes: ReadonlySet<string | undefined>;
  /** `undefined`: no cookie is issued. */
  cookieIssuer(): DecodedCookieIssuer | undefined;
}

type OwnCredential = VerifiedCredential & {
  credentials: BackstageCredentials<BackstageUserPrincipal>;
  decoded: DecodedToken;
};

/**
 * The gate: an Express handler for `/api/:gatedPluginId`, in front of every plugin's own.
 *
 * What it refuses goes to `next` as an error of `@backstage/errors`, with the headers of the answer set.
 */
export function createGate(options: GateOptions): RequestHandler {
  const { cookie, decisions, logger, observer, plugins, revocations } = options;
  const endSession = createSignOut(options);

  /** A request's way through the gate. Returns if it may pass, and throws if it may not. */
  async function decide(passage: Passage): Promise<Decision> {
    const { req, policy } = passage;
    const plugin = plugins.targetOf(req);
    const pass = (reason: PassReason): Decision => ({
      plugin: plugin.id,
      outcome: 'passed',
      reason,
      credential: passage.credential,
    });

    // Releases before `addWebSocketHandler` bring upgrades here. Whatever takes it from Express has no exact path, so that no
    // rule names it.
    if (requestMethod(req) === WEBSOCKET) {
      await plugin.started();
      const judged = await judgeUpgrade(passage, plugin, options);
      setIdentity(req, judged.verified);
      return pass(judged.presented.kind);
    }

    const path = pathBelowPlugin(req, plugin.mountedAs);
    const isInstalled = plugins.isInstalled(plugin.id);
    const route = classifyRoute(
      { plugin: plugin.id, method: req.method, path, isInstalled },
      policy,
    );
    if (route === 'sign-out') {
      await endSession(passage, plugin);
      removeGateCookies(req);
      return pass('sign-out');
    }
    if (route === 'built-in-public') {
      refuseEndedSession(req);
      // The gate of the backend that has `auth` knows what a sign-out is: behind a gateway, it needs the cookie.
      if (isInstalled || plugin.id !== 'auth') {
        removeGateCookies(req);
      }
      return pass('public-by-nature');
    }
    if (typeof route === 'object') {
      refuseEndedSession(req);
      removeGateCookies(req);
      return { ...pass('allow-rule'), rule: route };
    }

    const starting = plugin.started();
    if (starting) {
      await starting;
    }
    const presented = requireToken(
      readCredential(req, {
        cookie,
        acceptsStockCookie: () => acceptsStockCookie(req, plugin, path),
      }),
    );
    passage.credential = presented.kind;
    if (presented.kind !== 'bearer' && policy.isCrossSite(req)) {
      throw Refusal.crossSite;
    }
    const verified = await verifyTimed(req, plugin, presented, policy, options);
    requireNotRevoked(verified, revocations);

    // Behind a gateway. Without a credential it was refused above: nobody learns which plugins there are.
    if (route === 'protected-sign-out') {
      await endSession(passage, plugin);
      removeGateCookies(req);
      return pass('sign-out');
    }
    if (presented.kind === 'bearer') {
      await issueCookie(passage, verified);
    }
    if (presented.kind === 'cookie') {
      setRequestHeader(req, 'authorization', `Bearer ${presented.token}`);
    }
    removeGateCookies(req);
    if (!isInstalled) {
      showCookieToGateBehind(req, verified);
    }
    if (path !== undefined && isCookieEndpoint(path)) {
      removeRevokedStockCookie(req);
    }
    setIdentity(req, verified);
    return pass(presented.kind);
  }

  /**
   * What is public is so for anybody, but not as a user whose session was ended: handlers may look at the token, and signing
   * in may make a new one of it. Decoding is enough, as it can only refuse. Of a cookie, the browser may know nothing: it is
   * taken out.
   */
  function refuseEndedSession(req: Request) {
    if (saysRevoked(readBearer(req), options)) {
      throw Refusal.revoked;
    }
    removeRevokedStockCookie(req);
  }

  function removeGateCookies(req: Request) {
    cookie?.removeFrom(req);
  }

  /**
   * Behind a gateway, another gate gets the token as a bearer token. It issues no cookie where it finds the same one, and
   * the answer is left as its handler made it. Nothing is told that `Authorization` does not hold as well.
   */
  function showCookieToGateBehind(req: Request, verified: VerifiedCredential) {
    const { token } = verified;
    if (cookie && isOwn(verified) && token.length <= MAX_TOKEN_BYTES) {
      cookie.putInto(req, token);
    }
  }

  /**
   * Backstage's own cookie verifies until it expires. One whose session was ended must neither tell a handler of that user, nor
   * keep Backstage from issuing another.
   */
  function removeRevokedStockCookie(req: Request) {
    const header = req.headers.cookie;
    const isStock = (name: string | undefined) => name === STOCK_COOKIE;
    const cookies = readCookies(header, isStock);
    if (!cookies || saysRevoked(cookies.get(STOCK_COOKIE), options)) {
      replaceCookies(
        req,
        withoutPairs(header, pair => isStock(nameOf(pair))),
      );
    }
  }

  /**
   * Whether a token is a user's own as Backstage has issued it, which the cookie may hold: not a limited one, nor one of a
   * service that acts for a user.
   */
  function isOwn(verified: VerifiedCredential): verified is OwnCredential {
    const { credentials, decoded, userToken } = verified;
    return (
      decoded !== undefined &&
      decoded === userToken &&
      options.cookieTypes.has(decoded.typ) &&
      isUser(credentials) &&
      !credentials.principal.actor
    );
  }

  async function issueCookie(
    { req, res, policy }: Passage,
    verified: VerifiedCredential,
  ) {
    const issuer = options.cookieIssuer();
    if (!cookie || !issuer || req.method === 'OPTIONS' || !isOwn(verified)) {
      return;
    }
    // Another site could otherwise sign the browser in as somebody else, by whatever method.
    if (policy.isCrossSite(req, 'POST')) {
      observer.cookieNotIssued('cross-site');
      return;
    }
    try {
      const { credentials, token, decoded } = verified;
      await issuer.issueCookie({ credentials, token, decoded, req, res });
    } catch (error) {
      observer.cookieNotIssued('issuer-failed');
      logger.warn('API gate issued no cookie: the issuer failed', {
        errorType: isError(error) ? error.name : typeof error,
      });
    }
  }

  function settle(req: Request, decision: Decision, refusal?: Refusal) {
    decisions.set(req, decision);
    observer.decided(
      { method: requestMethod(req), path: expressPath(req) },
      decision,
      refusal?.error,
    );
  }

  function refuse({ req, res, policy, credential }: Passage, refusal: Refusal) {
    const plugin = pluginIdOf(req);
    const { reason } = refusal;
    if (!policy.isEnforced) {
      settle(
        req,
        { plugin, outcome: 'would-refuse', reason, credential },
        refusal,
      );
      removeGateCookies(req);
      return undefined;
    }
    settle(req, { plugin, outcome: 'refused', reason, credential }, refusal);
    if (!res.headersSent) {
      refusal.applyTo(res);
      // A cookie that will never count again is taken back, so that the browser recovers.
      if (refusal.isFinal && !req.headers.authorization) {
        clearCookie(cookie, req, res);
      }
    }
    return refusal.error;
  }

  return (req, res, next) => {
    const policy = options.policy();
    const passage: Passage = { req, res, policy, credential: 'none' };
    decide(passage)
      .then(
        decision => settle(req, decision),
        error => refuse(passage, toRefusal(error, logger)),
      )
      // Whatever happens, `next` is called, and called once: without an error only where the decision is to pass.
      .catch(() => Refusal.failed.error)
      .then(next);
  };
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
    plugin.acceptsStockCookie(path) &&
    staysWhereItIs(path)
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
        ownershipEntityRefs: [...(decoded?.ent ?? [])],
      },
    };
    (req as Request & { user?: BackstageIdentityResponse }).user = user;
  }
}

function isUser(
  credentials: VerifiedCredential['credentials'],
): credentials is BackstageCredentials<BackstageUserPrincipal> {
  return credentials.principal.type === 'user';
}
