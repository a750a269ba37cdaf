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
import { MAX_TOKEN_BYTES } from '../cookie/GateCookie';
import {
  readBearer,
  readCredential,
  BACKSTAGE_AUTH_COOKIE,
  BACKSTAGE_AUTH_COOKIES,
} from '../credentials/readCredential';
import { isOfRevokedSession } from '../credentials/isOfRevokedSession';
import { assertToken } from '../credentials/assertToken';
import {
  VerifiedCredential,
  verifyTimed,
} from '../credentials/verifyCredential';
import type { Decision, Decisions, PassReason } from '../decision/Decision';
import { createSignOut, SignOutOptions } from './createSignOut';
import { findResourceMetadata } from './findResourceMetadata';
import { decideUpgrade } from './authenticateUpgrade';
import type { Passage } from './Passage';
import { pluginIdOf } from '../plugins/Plugins';
import { TargetPlugin } from '../credentials/BackendPlugins';
import { classifyRoute } from '../policy/classifyRoute';
import type { Policy } from '../policy/Policy';
import { Refusal } from '../decision/Refusal';
import type { GateObserver } from '../decision/GateObserver';
import { readCookies } from '../http/cookieHeader';
import { restrictResponse } from '../cookie/restrictResponse';
import { isCodeDestination } from '../http/isCodeDestination';
import { isCrossOrigin } from '../http/isCrossOrigin';
import {
  acceptsUserCookie,
  isIssuanceEndpoint,
  isTrustedPath,
  pathOf,
} from './cookiePaths';
import { isCookieEndpoint } from '../http/backstagePaths';
import { expressPath, pathBelowPlugin } from '../http/requestTarget';
import { removeCookies } from '../http/removeCookies';
import {
  asksForUpgrade,
  requestMethod,
  WEBSOCKET,
} from '../http/requestMethod';
import { setRequestHeader } from '../http/setRequestHeader';
import type { DecodedToken } from '../credentials/token';
import {
  assertNotRevoked,
  sessionClaimsOf,
} from '../credentials/assertNotRevoked';
import type { SessionSockets } from '../revocation/SessionSockets';
import { toRefusal } from '../decision/toRefusal';

/** What the gate decides with. */
export interface GateOptions extends SignOutOptions {
  /** The policy in force. */
  policy(): Policy;
  decisions: Decisions;
  logger: LoggerService;
  observer: GateObserver;
  sockets: Pick<SessionSockets, 'track'>;
  /** The `typ` of tokens that may become the cookie. */
  cookieTypes: ReadonlySet<string | undefined>;
  /** `undefined`: no cookie is issued. */
  cookieIssuer(): DecodedCookieIssuer | undefined;
}

type FullUserCredential = VerifiedCredential & {
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
    const { req, res, policy } = passage;
    const { method } = req;
    const plugin = plugins.targetOf(req);
    const pass = (reason: PassReason): Decision => ({
      plugin: plugin.id,
      outcome: 'passed',
      reason,
      credential: passage.credential,
    });

    // Upgrades arrive here while nobody listens for them at the server.
    if (requestMethod(req) === WEBSOCKET) {
      const { rule, judged } = await decideUpgrade(
        passage,
        plugin,
        asksForUpgrade(req)
          ? pathBelowPlugin(req, plugin.mountedAs)
          : undefined,
        options,
      );
      if (rule) {
        await removeRevokedUserCookie(passage, plugin);
        return { ...pass('allow-rule'), rule };
      }
      trackUpgrade(passage, judged.verified);
      setIdentity(req, judged.verified);
      return pass(judged.presented.kind);
    }

    const path = pathOf(req, plugin);
    const isInstalled = plugins.isInstalled(plugin.id);
    const isTrusted = () => isTrustedPath(method, path, plugin, policy);
    const route = classifyRoute(
      {
        plugin: plugin.id,
        method,
        path,
        isInstalled,
        hasPluginKeys: plugins.hasPluginKeys,
      },
      policy,
    );
    if (route === 'sign-out') {
      const hasCredential = await endSession(passage, plugin);
      if (!isInstalled && !hasCredential && policy.isEnforced) {
        // The answer of an installed plugin: nobody learns without a credential which plugins there are.
        await plugins.clearUserCookie(passage.res);
        passage.res.status(204).end();
        passage.isAnswered = true;
      } else if (!isInstalled) {
        await plugin.started();
      }
      return pass('sign-out');
    }
    if (route === 'built-in-public') {
      await refuseRevokedSession(passage, plugin);
      // The gate of the backend that has `auth` knows what a sign-out is: behind a gateway, it needs the cookie.
      if (!isInstalled && plugin.id === 'auth') {
        passage.forwardedCookie = 'as it came';
      }
      return pass('built-in-public');
    }
    if (typeof route === 'object') {
      await refuseRevokedSession(passage, plugin);
      // The browser sends the cookie with the requests of a public page, too.
      restrictResponse(res, { isCookie: false, isTrustedPath: isTrusted });
      return { ...pass('allow-rule'), rule: route };
    }

    const starting = plugin.started();
    if (starting) {
      await starting;
    }
    const presented = assertToken(
      readCredential(req, {
        cookie,
        acceptsUserCookie: () => acceptsUserCookie(method, path, plugin),
      }),
    );
    passage.credential = presented.kind;
    const isCookie = presented.kind !== 'bearer';
    if (isCookie && policy.isCrossSite(req)) {
      throw Refusal.crossSite;
    }
    if (isCookie && isCodeDestination(req) && !isTrusted()) {
      throw Refusal.unsafeDestination;
    }
    const verified = await verifyTimed(req, plugin, presented, policy, options);
    assertNotRevoked(verified, revocations);
    if (isUser(verified.credentials)) {
      restrictResponse(res, { isCookie, isTrustedPath: isTrusted });
    }

    if (!isCookie) {
      await issueCookie(passage, plugin, path, verified);
    }
    if (presented.kind === 'cookie') {
      setRequestHeader(req, 'authorization', `Bearer ${presented.token}`);
    }
    if (!isInstalled) {
      forwardCookieToInnerGate(passage, verified);
    }
    if (path !== undefined && isCookieEndpoint(path)) {
      await removeRevokedUserCookie(passage, plugin);
    }
    setIdentity(req, verified);
    return pass(presented.kind);
  }

  /**
   * Refuses a bearer token of a revoked session on public routes too: a handler may read it, and signing in may make a new
   * one of it. A revoked cookie is removed instead: the page may not know that the browser sent it.
   */
  function refuseRevokedSession(
    passage: Passage,
    plugin: TargetPlugin,
  ): Promise<void> | undefined {
    const { req, policy } = passage;
    const bearer = readBearer(req);
    const isRevoked = isOfRevokedSession(bearer, plugin, policy, options);
    const removed = removeRevokedUserCookie(passage, plugin);
    return isRevoked || removed
      ? Promise.all([isRevoked, removed]).then(([isBearerRevoked]) => {
          if (isBearerRevoked) {
            throw Refusal.revoked;
          }
        })
      : undefined;
  }

  /** Hands a request on. No handler in this backend ever sees the gate's cookie, whatever the decision was. */
  function forward({ req, forwardedCookie }: Passage) {
    if (forwardedCookie === 'as it came') {
      return;
    }
    cookie?.removeFrom(req);
    if (forwardedCookie) {
      cookie?.putInto(req, forwardedCookie.token);
    }
  }

  /**
   * Behind a gateway, another gate gets the token as a bearer token. It issues no cookie where it finds the same one, and
   * the answer is left as its handler made it. Nothing is told that `Authorization` does not hold as well.
   */
  function forwardCookieToInnerGate(
    passage: Passage,
    verified: VerifiedCredential,
  ) {
    const { token } = verified;
    if (isFullUserToken(verified) && token.length <= MAX_TOKEN_BYTES) {
      passage.forwardedCookie = { token };
    }
  }

  /**
   * Backstage's own cookie verifies until it expires. One of a revoked session must neither tell a handler of that user, nor
   * keep Backstage from issuing another.
   */
  function removeRevokedUserCookie(
    { req, policy }: Passage,
    plugin: TargetPlugin,
  ): Promise<void> | undefined {
    const cookies = readCookies(req.headers.cookie, BACKSTAGE_AUTH_COOKIES);
    if (!cookies) {
      removeCookies(req, BACKSTAGE_AUTH_COOKIES);
      return undefined;
    }
    const token = cookies.get(BACKSTAGE_AUTH_COOKIE);
    const isRevoked = isOfRevokedSession(token, plugin, policy, options);
    return isRevoked
      ? isRevoked
          // Without keys the cookie may be a revoked one: the request goes on without it.
          .catch(() => true)
          .then(is =>
            is ? removeCookies(req, BACKSTAGE_AUTH_COOKIES) : undefined,
          )
      : undefined;
  }

  /**
   * Whether a token is a user's own as Backstage has issued it, which the cookie may hold: not a limited one, nor one of a
   * service that acts for a user.
   */
  function isFullUserToken(
    verified: VerifiedCredential,
  ): verified is FullUserCredential {
    const { credentials, decoded, userToken } = verified;
    return (
      decoded !== undefined &&
      decoded === userToken &&
      options.cookieTypes.has(decoded.typ) &&
      isUser(credentials) &&
      !credentials.principal.actor
    );
  }

  /** A handler may take the socket from Express. If it answers instead, the connection goes on to other requests. */
  function trackUpgrade(
    { req, res }: Passage,
    { userToken }: VerifiedCredential,
  ) {
    const session = sessionClaimsOf(userToken ?? {});
    if (session) {
      res.once('finish', options.sockets.track(req.socket, session));
    }
  }

  async function issueCookie(
    { req, res, policy }: Passage,
    plugin: TargetPlugin,
    path: string | undefined,
    verified: VerifiedCredential,
  ) {
    const issuer = options.cookieIssuer();
    if (
      !cookie ||
      !issuer ||
      req.method === 'OPTIONS' ||
      !isFullUserToken(verified)
    ) {
      return;
    }
    // Another site could otherwise sign the browser in as somebody else, by whatever method.
    if (policy.isCrossSite(req, 'POST')) {
      observer.cookieNotIssued('cross-site');
      return;
    }
    // Stock frontends on another origin make this call alone with credentials. Elsewhere the browser ignores `Set-Cookie`, and
    // the `no-store` that comes with it would keep each answer out of the browser's cache.
    if (
      isCrossOrigin(req, policy.config.backendOrigin) &&
      !isIssuanceEndpoint(plugin.id, path)
    ) {
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

  /** Returns the error of the answer; `undefined` if the request goes on all the same, in report-only. */
  async function refuse(
    passage: Passage,
    refusal: Refusal,
  ): Promise<Error | undefined> {
    const { req, res, policy, credential } = passage;
    const plugin = pluginIdOf(req);
    const { reason } = refusal;
    if (!policy.isEnforced) {
      settle(
        req,
        { plugin, outcome: 'would-refuse', reason, credential },
        refusal,
      );
      return undefined;
    }
    settle(req, { plugin, outcome: 'refused', reason, credential }, refusal);
    const path = refusal.isFinal ? expressPath(req) : undefined;
    const resourceMetadata =
      path && (await findResourceMetadata(plugin, path, policy, plugins));
    if (!res.headersSent) {
      refusal.applyTo(res, resourceMetadata);
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
        decision => {
          forward(passage);
          settle(req, decision);
          return undefined;
        },
        async error => {
          const refused = await refuse(passage, toRefusal(error, logger));
          if (!refused) {
            forward(passage);
          }
          return refused;
        },
      )
      // Whatever happens, `next` is called, and called once: without an error only where the decision is to pass.
      .catch(() => Refusal.failed.error)
      .then(error => (passage.isAnswered ? undefined : next(error)));
  };
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
