import type {
  BackstageCredentials,
  BackstageUserPrincipal,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { isError } from '@backstage/errors';
import {
  BackstageIdentityResponse,
  tokenTypes,
} from '@backstage/plugin-auth-node';
import type { Request, RequestHandler, Response } from 'express';
import type { ApiGateConfig } from './config/readApiGateConfig';
import type { CookieIssuer } from './cookie/CookieIssuer';
import { withoutCookie } from './cookie/cookieHeader';
import {
  PresentedCredential,
  readCredential,
} from './credential/readCredential';
import {
  PresentedToken,
  VerifiedCredential,
  verifyCredential,
  VerifyOptions,
} from './credential/verifyCredential';
import type { Decision, Decisions } from './Decision';
import { pluginIdOf, Plugins, TargetPlugin } from './Plugins';
import { Refusal } from './Refusal';
import type { AllowList } from './request/AllowList';
import { isPublicByNature } from './request/isPublicByNature';
import {
  isPlainPath,
  pathBelowPlugin,
  withoutQuery,
} from './request/requestTarget';
import { setRequestHeader } from './request/setRequestHeader';

/** What the gate decides with. */
export interface GateOptions extends VerifyOptions {
  allowList: AllowList;
  config: ApiGateConfig;
  decisions: Decisions;
  logger: LoggerService;
  plugins: Plugins;
  /** `undefined`: no cookie is issued. */
  cookieIssuer(): CookieIssuer | undefined;
}

/**
 * The gate: an Express handler for `/api/:gatedPluginId`, in front of every plugin's own.
 *
 * What it refuses goes to `next` as an error of `@backstage/errors`, with the headers of the answer set.
 */
export function createGate(options: GateOptions): RequestHandler {
  const { allowList, config, decisions, logger, plugins } = options;
  const cookieName = config.cookie.enabled ? config.cookie.name : undefined;

  /** A request's way through the gate. Returns where it may pass, and throws where it may not. */
  async function decide(req: Request, res: Response): Promise<Decision> {
    const plugin = plugins.targetOf(req);
    const path = pathBelowPlugin(req, plugin.id);

    const publicDecision = decidePublic(plugin.id, req.method, path);
    if (publicDecision) {
      removeGateCookies(req);
      return publicDecision;
    }

    await plugin.started();
    const presented = requireOne(
      readCredential(req, {
        cookieName,
        acceptStockCookie: acceptsStockCookie(req, plugin, path),
      }),
    );
    const verified = await verifyCredential(req, plugin, presented, options);

    if (presented.kind === 'bearer') {
      await issueCookie(req, res, verified);
    }
    if (presented.kind === 'cookie') {
      setRequestHeader(req, 'authorization', `Bearer ${presented.token}`);
    }
    removeGateCookies(req);
    setIdentity(req, verified);
    return { plugin: plugin.id, reason: presented.kind, passed: true };
  }

  function decidePublic(
    pluginId: string,
    method: string,
    path: string | undefined,
  ): Decision | undefined {
    if (path === undefined || !isPlainPath(path)) {
      return undefined;
    }
    if (isPublicByNature(pluginId, method, path)) {
      return { plugin: pluginId, reason: 'public-by-nature', passed: true };
    }
    const rule = allowList.match(pluginId, method, path);
    return (
      rule && { plugin: pluginId, reason: 'allow-rule', passed: true, rule }
    );
  }

  function removeGateCookies(req: Request) {
    const { cookie } = req.headers;
    if (cookieName && cookie) {
      const others = withoutCookie(cookie, cookieName);
      if (others !== cookie) {
        setRequestHeader(req, 'cookie', others);
      }
    }
  }

  async function issueCookie(
    req: Request,
    res: Response,
    { credentials, token, decoded }: VerifiedCredential,
  ) {
    const issuer = options.cookieIssuer();
    if (
      !issuer ||
      req.method === 'OPTIONS' ||
      decoded?.typ !== tokenTypes.user.typParam ||
      !isUser(credentials) ||
      credentials.principal.actor
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

  function recordRefusal(req: Request, refusal: Refusal) {
    // Only the id of an installed plugin: anything else is what a client made up.
    const id = pluginIdOf(req);
    const { reason } = refusal;
    decisions.set(req, { plugin: id, reason, passed: false });
    logger.info('API gate refused a request', {
      plugin: plugins.isInstalled(id) ? id : 'not installed',
      reason,
      method: req.method,
      path: withoutQuery(req.path),
    });
  }

  return (req, res, next) => {
    decide(req, res).then(
      decision => {
        decisions.set(req, decision);
        next();
      },
      error => {
        const refusal = toRefusal(error, logger);
        recordRefusal(req, refusal);
        refusal.applyTo(res);
        next(refusal.error);
      },
    );
  };
}

/** @throws Refusal unless there is exactly one credential, of a kind that the gate knows */
function requireOne(presented: PresentedCredential): PresentedToken {
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
