import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Request, Response } from 'express';
import type {
  BackendPlugins,
  TargetPlugin,
} from '../credentials/BackendPlugins';
import { createDecisionId } from '../decision/createDecisionId';
import type {
  CandidateChange,
  CredentialKind,
  Decision,
} from '../decision/Decision';
import type { Refusal } from '../decision/Refusal';
import { COOKIE_PATH, isCookieEndpoint } from '../http/backstagePaths';
import {
  asksForUpgrade,
  requestMethod,
  WEBSOCKET,
} from '../http/requestMethod';
import {
  expressPath,
  pathBelowPlugin,
  withoutQuery,
} from '../http/requestTarget';
import type { MountedRequest } from '../http/upgradeRequest';
import { pluginIdOf } from '../plugins/Plugins';
import {
  classifyRoute,
  RouteClass,
  RoutePolicy,
} from '../policy/classifyRoute';
import type { AllowList } from '../policy/AllowList';
import type { Policy } from '../policy/Policy';

/** The changes of its headers with which a request goes on to the handlers behind the gate. */
export interface ForwardedHeaders {
  /** The token that the request gets as its `Authorization`. Default: the header stays as it was received. */
  bearer?: string;
  /** The gate's cookie. Default: it is removed. */
  gateCookie?: 'as received' | { token: string };
  /** Backstage's own cookie. Default: it stays. */
  userCookie?: 'removed';
  /** The headers by which a handler may answer 304, which sets no cookie. Default: they stay. */
  validators?: 'removed';
}

/**
 * Everything that the gate knows about one request. It keeps the policy that was current when the request arrived, so that a
 * change of the configuration never alters a decision halfway.
 */
export abstract class GateRequest<
  Req extends IncomingMessage = IncomingMessage,
> {
  /** `WEBSOCKET` for an upgrade to a WebSocket. */
  readonly method: string;
  /** In lower case, whether or not the plugin is installed. */
  readonly pluginId: string;
  /** The kind of the credential that the request is judged by; `none` until one was read. */
  credential: CredentialKind = 'none';
  /** Whether a request that a rule opens presents no credential. */
  isAnonymous?: boolean;
  /** The gate collects the changes here, and {@link forward} alone makes them. */
  readonly forwarded: ForwardedHeaders = {};

  #target: { plugin: TargetPlugin; path: string | undefined } | undefined;
  #route: RouteClass | undefined;
  #decisionId: string | undefined;

  constructor(
    readonly req: Req,
    protected readonly mounted: MountedRequest,
    readonly policy: Policy,
    private readonly plugins: BackendPlugins,
  ) {
    this.method = requestMethod(req);
    this.pluginId = pluginIdOf(mounted);
  }

  /** The path in logs and in the audit. */
  abstract get reportedPath(): string | undefined;

  /** The client's address, as `backend.trustProxy` has it. */
  protected abstract get clientAddress(): string | undefined;

  protected abstract readPath(plugin: TargetPlugin): string | undefined;

  /** @throws Refusal 503 while the plugin has not registered */
  get plugin(): TargetPlugin {
    return this.#readTarget().plugin;
  }

  /**
   * The path below the plugin as the client sent it; `undefined` where nothing may be decided by the path.
   *
   * @throws Refusal 503 while the plugin has not registered
   */
  get path(): string | undefined {
    return this.#readTarget().path;
  }

  get isInstalled(): boolean {
    return this.plugins.isInstalled(this.pluginId);
  }

  /** @throws Refusal 503 while the plugin has not registered */
  get route(): RouteClass {
    this.#route ??= this.#classify(this.policy);
    return this.#route;
  }

  /** Identifies the decision about this request, if that is a refusal. */
  get decisionId(): string {
    this.#decisionId ??= createDecisionId();
    return this.#decisionId;
  }

  /** Adds to a decision what the gate has found out about this request, and to a refusal what identifies it. */
  toDecision(
    decided: Pick<Decision, 'outcome' | 'reason' | 'rule'>,
    refusal?: Refusal,
  ): Decision {
    const { outcome, reason, rule } = decided;
    const { pluginId: plugin, credential, isAnonymous } = this;
    const { candidate: rules, config } = this.policy;
    const candidate = rules && this.#judgeCandidate(rules);
    return {
      outcome,
      reason,
      rule,
      plugin,
      credential,
      isAnonymous,
      candidate,
      id: refusal && this.decisionId,
      detail: refusal?.detail,
      subject: refusal?.subject,
      clientAddress:
        refusal && config.audit.clientAddress ? this.clientAddress : undefined,
    };
  }

  /** Compares the route with what it would be by the candidate; returns nothing if the route was not needed for the decision. */
  #judgeCandidate(allowList: AllowList): CandidateChange | undefined {
    const { method, pluginId, policy } = this;
    const route = this.#route;
    if (typeof route !== 'object' && route !== 'protected') {
      return undefined;
    }
    // Look for a rule first, which is cheap: most requests have none in either list.
    const rule =
      this.path === undefined
        ? undefined
        : allowList.match(pluginId, method, this.path);
    if (typeof route === 'object') {
      return rule ? undefined : { change: 'would-close', rule: route };
    }
    const wouldOpen =
      rule && this.#classify({ allowList, config: policy.config }) === rule;
    return wouldOpen ? { change: 'would-open', rule } : undefined;
  }

  #classify(policy: RoutePolicy): RouteClass {
    return classifyRoute(
      {
        plugin: this.pluginId,
        method: this.method,
        path: this.path,
        isInstalled: this.isInstalled,
        hasPluginKeys: this.plugins.hasPluginKeys,
      },
      policy,
    );
  }

  #readTarget() {
    if (!this.#target) {
      const plugin = this.plugins.targetOf(this.mounted);
      this.#target = { plugin, path: this.readPath(plugin) };
    }
    return this.#target;
  }
}

/** A request at the gate's mount in Express. Upgrades arrive here too while no listener at the server takes them. */
export class ExpressRequest extends GateRequest<Request> {
  constructor(
    req: Request,
    readonly res: Response,
    policy: Policy,
    plugins: BackendPlugins,
  ) {
    super(req, req, policy, plugins);
  }

  get reportedPath(): string | undefined {
    return expressPath(this.req);
  }

  protected get clientAddress(): string | undefined {
    return this.req.ip;
  }

  protected readPath({ mountedAs }: TargetPlugin): string | undefined {
    const { req } = this;
    if (this.method === WEBSOCKET && !asksForUpgrade(req)) {
      return undefined;
    }
    const path = pathBelowPlugin(req, mountedAs);
    // The root router serves the cookie endpoint of one plugin once more at `/`.
    const isRootCookieEndpoint =
      path === undefined &&
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
    policy: Policy,
    private readonly services: {
      plugins: BackendPlugins;
      clientAddressOf(req: IncomingMessage): string | undefined;
    },
  ) {
    super(req, target, policy, services.plugins);
  }

  get reportedPath(): string | undefined {
    return this.mounted.url;
  }

  protected get clientAddress(): string | undefined {
    return this.services.clientAddressOf(this.req);
  }

  protected readPath({ mountedAs }: TargetPlugin): string | undefined {
    return this.method === WEBSOCKET
      ? pathBelowPlugin(this.mounted, mountedAs)
      : undefined;
  }
}
