import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Request, Response } from 'express';
import type { TargetPlugin } from '../plugins/BackendPlugins';
import { CredentialPlaces, readPlaces } from './readCredential';
import type { IssuedCookie } from '../cookie/CookieIssuer';
import { createDecisionId, CredentialKind } from '../Decision';
import {
  asksForUpgrade,
  COOKIE_PATH,
  expressPath,
  hasNoDotSegments,
  isCookieEndpoint,
  isRead,
  isUnambiguousPath,
  pathBelowPlugin,
  requestMethod,
  WEBSOCKET,
  withoutQuery,
} from './requestLine';
import type { MountedRequest } from './mountedRequest';
import { classifyRoute, RouteClass } from '../rules/classifyRoute';
import { isEnforced, Policy } from '../rules/Policy';
import type { GateServices } from '../GateServices';

/** The headers that an answer gets when it is written. */
class AnswerHeaders {
  /** The `Set-Cookie` headers that clear the gate's cookies. */
  cleared: string[] = [];
  issued: IssuedCookie | undefined = undefined;
  /** The credential for which the answer is restricted; `none` on a public path, to which browsers send the cookie too. */
  restrictedFor: CredentialKind | undefined = undefined;
  /** Whether no shared cache may keep the answer. */
  isPrivate = false;
  /** Whether a browser shows the answer to a cookie as a page. */
  isPage = false;
  /** Whether the headers are set. */
  isSet = false;
}

/**
 * Everything that the gate has found out about one request. It keeps the policy that was current when the request arrived, so that
 * a change of the configuration never alters a decision halfway.
 */
export abstract class GateRequest<
  Req extends IncomingMessage = IncomingMessage,
> {
  readonly policy: Policy;
  /** The time by which rules and limits have ended, in milliseconds since 1970. */
  readonly now: number;
  /** Whether the gate enforces refusals at this time. */
  readonly isEnforced: boolean;
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
  /** The gate collects the headers of the answer here, and `answer.ts` alone sets them. */
  readonly answer = new AnswerHeaders();
  #decisionId: string | undefined;

  constructor(
    readonly req: Req,
    protected readonly mounted: MountedRequest,
    readonly services: GateServices,
    isAtServer: boolean,
  ) {
    const { plugins } = services;
    this.policy = services.source.current;
    this.now = this.policy.now();
    this.isEnforced = isEnforced(this.policy.config, this.now);
    this.method = requestMethod(req);
    this.isUpgrade = isAtServer || this.method === WEBSOCKET;
    this.plugin = plugins.targetOf(mounted);
    this.pluginId = this.plugin.id;
    this.isInstalled = plugins.isInstalled(this.pluginId);
    this.path = this.readPath(this.plugin);
    const { isInstalled, path, pluginId, policy } = this;
    this.route = classifyRoute(this, policy, this.now);
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

  get userAgent(): string | undefined {
    return this.req.headers['user-agent'];
  }

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
export function acceptsUserCookie({
  method,
  path,
  plugin,
}: GateRequest): boolean {
  return (
    path !== undefined &&
    isRead(method) &&
    plugin.acceptsUserCookie(path) &&
    // The path stays the same once it is decoded.
    hasNoDotSegments(path)
  );
}

/** The plugin that sends `Authorization` on to the targets of some endpoints. */
export const PROXY_PLUGIN = 'proxy';

/** Returns whether the handler may send `Authorization` to another server. */
export function isSentOn({
  isInstalled,
  places,
  pluginId,
}: GateRequest): boolean {
  return places.isForeignPath || (isInstalled && pluginId === PROXY_PLUGIN);
}
