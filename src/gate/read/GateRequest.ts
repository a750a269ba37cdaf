import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Request, Response } from 'express';
import type { TargetPlugin } from '../plugins/BackendPlugins';
import {
  CredentialPlaces,
  PresentedToken,
  readCredential,
  readPlaces,
} from './readCredential';
import { createDecisionId, CredentialKind } from '../Decision';
import { Refusal } from '../Refusal';
import { isCodeDestination } from './browsers';
import {
  asksForUpgrade,
  COOKIE_PATH,
  expressPath,
  hasNoDotSegments,
  isCookieEndpoint,
  isUnambiguousPath,
  pathBelowPlugin,
  requestMethod,
  WEBSOCKET,
  withoutQuery,
} from './requestLine';
import { MountedRequest, pluginIdOf } from './mountedRequest';
import { classifyRoute, RouteClass } from '../rules/classifyRoute';
import type { Policy } from '../rules/Policy';
import type { SessionClaims } from '../sessions/Revocation';
import type { AnswerHeaders } from '../carryOut/answer';
import type { ForwardedHeaders } from '../carryOut/forward';
import type { GateServices } from '../GateServices';

/**
 * Everything that the gate has found out about one request. It keeps the policy that was current when the request arrived, so that
 * a change of the configuration never alters a decision halfway.
 */
export abstract class GateRequest<
  Req extends IncomingMessage = IncomingMessage,
> {
  readonly policy: Policy;
  /** `WEBSOCKET` for an upgrade to a WebSocket. */
  readonly method: string;
  /** Whether the request is decided as an upgrade. */
  readonly isUpgrade: boolean;
  /** In lower case, whether or not the plugin is installed. */
  readonly pluginId: string;
  readonly plugin: TargetPlugin;
  readonly isInstalled: boolean;
  /** The path below the plugin as the client sent it; `undefined` where nothing may be decided by the path. */
  readonly path: string | undefined;
  readonly route: RouteClass;
  /** Where the request may hold its credential. */
  readonly places: CredentialPlaces;
  /** The kind of the credential that the request is decided by; `none` until one was read. */
  credential: CredentialKind = 'none';
  /** Whether a request that a rule opens presents no credential. */
  isAnonymous: boolean | undefined = undefined;
  /** The verified sessions of an upgrade that only report-only lets through. */
  openedBy: SessionClaims[] | undefined = undefined;
  /** The address at which a client that is refused reads how to sign in. */
  resourceMetadata: string | undefined = undefined;
  /** The gate collects the changes of the request here, and `forward` alone makes them. */
  readonly forwarded: ForwardedHeaders = {};
  /** The gate collects the headers of the answer here, and `answer.ts` alone sets them. */
  readonly answer: AnswerHeaders = {};
  #decisionId: string | undefined;

  constructor(
    readonly req: Req,
    protected readonly mounted: MountedRequest,
    readonly services: GateServices,
    isAtServer: boolean,
  ) {
    const { plugins } = services;
    this.policy = services.source.current;
    this.method = requestMethod(req);
    this.isUpgrade = isAtServer || this.method === WEBSOCKET;
    this.pluginId = pluginIdOf(mounted);
    this.plugin = plugins.targetOf(mounted);
    this.isInstalled = plugins.isInstalled(this.pluginId);
    this.path = this.readPath(this.plugin);
    const { isInstalled, method, path, pluginId, policy } = this;
    this.route = classifyRoute(
      { plugin: pluginId, method, path, isInstalled },
      policy,
    );
    this.places = readPlaces(req, {
      cookie: services.cookie,
      header: policy.config.credentialHeader,
      isForeignPath:
        this.route === 'protected' &&
        isInstalled &&
        policy.isForeignPath(pluginId, path ?? this.reportedPath),
    });
  }

  /** The path in logs and in the audit. */
  get reportedPath(): string | undefined {
    return this.mounted.url;
  }

  /** The client's address, as `backend.trustProxy` has it. */
  abstract get clientAddress(): string | undefined;

  protected abstract readPath(plugin: TargetPlugin): string | undefined;

  /** Identifies the decision about this request, if that is a refusal. */
  get decisionId(): string {
    this.#decisionId ??= createDecisionId();
    return this.#decisionId;
  }
}

/** A request at one of the gate's mounts in Express. Upgrades arrive here too while no listener at the server takes them. */
export class ExpressRequest extends GateRequest<Request> {
  constructor(
    req: Request,
    readonly res: Response,
    services: GateServices,
  ) {
    super(req, req, services, false);
  }

  get reportedPath(): string | undefined {
    return expressPath(this.req);
  }

  get clientAddress(): string | undefined {
    return this.req.ip;
  }

  protected readPath({ mountedAs }: TargetPlugin): string | undefined {
    const { req } = this;
    // It names a WebSocket and is no upgrade to Node, so that Express serves it as a GET: no rule for either opens it.
    if (this.method === WEBSOCKET && !asksForUpgrade(req)) {
      return undefined;
    }
    const path = pathBelowPlugin(req, mountedAs);
    // The gate is mounted once more at the root's copy of the cookie endpoint, which is `baseUrl` there.
    const isRootCookieEndpoint =
      this.method !== WEBSOCKET &&
      isCookieEndpoint(req.baseUrl) &&
      withoutQuery(req.originalUrl) === req.baseUrl;
    return isRootCookieEndpoint ? COOKIE_PATH : path;
  }
}

/** An upgrade at the server, which does not pass Express. */
export class UpgradeRequest extends GateRequest {
  constructor(
    req: IncomingMessage,
    readonly socket: Duplex,
    target: MountedRequest,
    services: GateServices,
  ) {
    super(req, target, services, true);
  }

  get clientAddress(): string | undefined {
    return this.services.clientAddressOf(this.req);
  }

  protected readPath({ mountedAs }: TargetPlugin): string | undefined {
    return this.method === WEBSOCKET
      ? pathBelowPlugin(this.mounted, mountedAs)
      : undefined;
  }
}

/**
 * Returns the token that a request presents, and notes its kind in the request; a refusal unless the request presents exactly one,
 * and for a cookie that may not be used: if another site's page uses it, or if the answer would run in the page that requested it.
 */
export function readRequestToken(
  request: GateRequest,
): PresentedToken | Refusal {
  const { places, policy, req } = request;
  const presented = readCredential(req, places, () =>
    acceptsUserCookie(request),
  );
  if (presented instanceof Refusal) {
    return presented;
  }
  request.credential = presented.kind;
  if (presented.kind === 'bearer') {
    return presented;
  }
  if (policy.isCrossSite(req)) {
    return Refusal.because('cross-site');
  }
  return isCodeDestination(req) && !trustOf(request)
    ? Refusal.because('unsafe-destination')
    : presented;
}

/**
 * Returns who trusts a response to a cookie to act as the user: the plugin, which has declared the path for cookies, or the operator,
 * whose setting names it.
 */
export function trustOf(
  request: GateRequest,
): 'plugin' | 'operator' | undefined {
  const { path, plugin, policy } = request;
  if (acceptsUserCookie(request)) {
    return 'plugin';
  }
  return path !== undefined &&
    isUnambiguousPath(path) &&
    policy.isTrustedPath(plugin.id, path)
    ? 'operator'
    : undefined;
}

/** Returns whether Backstage's own cookie is accepted: it may only read, and only where the plugin has declared it. */
function acceptsUserCookie({ method, path, plugin }: GateRequest): boolean {
  return (
    path !== undefined &&
    (method === 'GET' || method === 'HEAD') &&
    // The path stays the same once it is decoded.
    hasNoDotSegments(path) &&
    plugin.acceptsUserCookie(path)
  );
}
