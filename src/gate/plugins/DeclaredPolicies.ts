import type {
  HttpRouterService,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import { pathToRegexp } from 'path-to-regexp';

/** A policy that a plugin has declared: for all methods and all paths below a path, or for the path of one WebSocket handler. */
export interface DeclaredPolicy extends HttpRouterServiceAuthPolicy {
  plugin: string;
  isWebSocket: boolean;
}

interface KnownPolicy extends DeclaredPolicy {
  covers(path: string): boolean;
}

/** Reads a policy's path as Backstage's barrier does: a prefix, without case. */
function createPathPredicate(policyPath: string): (path: string) => boolean {
  if (policyPath === '/' || policyPath === '*') {
    return () => true;
  }
  try {
    const { regexp } = pathToRegexp(policyPath, { end: false });
    return path => regexp.test(path);
  } catch {
    // The plugin's own barrier has thrown an error for it too, unless the barrier is switched off.
    return () => false;
  }
}

/** Whether a path of the `techdocs` plugin is below its pages and images, which can't be shown without a cookie. */
export const coversTechDocsPages = createPathPredicate('/static');

/** The policies that plugins declare in code, by `httpRouter.addAuthPolicy` and `addWebSocketHandler`. */
export class DeclaredPolicies {
  readonly #byPlugin = new Map<string, KnownPolicy[]>();
  /** Each `httpRouter` that records, with the one behind it. */
  readonly #watched = new WeakMap<HttpRouterService, HttpRouterService>();

  /** Returns an `httpRouter` that records the policies which a plugin declares through it. */
  watch(pluginId: string, httpRouter: HttpRouterService): HttpRouterService {
    const plugin = pluginId.toLowerCase();
    const policies: KnownPolicy[] = [];
    this.#byPlugin.set(plugin, policies);
    const watched: HttpRouterService = {
      ...httpRouter,
      addAuthPolicy: policy => {
        httpRouter.addAuthPolicy(policy);
        const { path, allow } = policy;
        const covers = createPathPredicate(path);
        policies.push({ plugin, path, allow, isWebSocket: false, covers });
      },
      // Goes in October 2027: releases before November 2026 have no WebSocket handlers.
      ...('addWebSocketHandler' in httpRouter && {
        addWebSocketHandler: handler => {
          httpRouter.addWebSocketHandler(handler);
          const { path, authPolicy: allow } = handler;
          if (allow) {
            const covers = (other: string) => other === path;
            policies.push({ plugin, path, allow, isWebSocket: true, covers });
          }
        },
      }),
    };
    this.#watched.set(watched, httpRouter);
    return watched;
  }

  /** Whether an `httpRouter` records its policies here. An app with an `httpRouter` service of its own has others. */
  isWatched(httpRouter: HttpRouterService): boolean {
    return this.#watched.has(httpRouter);
  }

  /** Opens a path on the plugin's own barrier for the gate. It is not recorded as a policy of the plugin. */
  openBarrier(httpRouter: HttpRouterService, path: string): void {
    const unwatched = this.#watched.get(httpRouter) ?? httpRouter;
    unwatched.addAuthPolicy({ path, allow: 'unauthenticated' });
  }

  isKnown(pluginId: string): boolean {
    return this.#byPlugin.has(pluginId);
  }

  /** Returns the policies of all plugins, by plugin id: plugins declare theirs in another order at each start. */
  all(): DeclaredPolicy[] {
    const ids = [...this.#byPlugin.keys()].sort();
    return ids.flatMap(id => this.#byPlugin.get(id)!);
  }

  /** Whether a plugin has opened a path, or its WebSocket handler there, to everybody. */
  isPublic(pluginId: string, path: string, isWebSocket: boolean): boolean {
    return (this.#byPlugin.get(pluginId) ?? []).some(
      policy =>
        policy.allow === 'unauthenticated' &&
        policy.isWebSocket === isWebSocket &&
        policy.covers(path),
    );
  }

  /** Whether a plugin has declared that Backstage's own cookie may read a path. TechDocs has, even if its policies are not recorded. */
  acceptsUserCookie(pluginId: string, path: string): boolean {
    const policies = this.#byPlugin.get(pluginId);
    return policies
      ? policies.some(
          ({ allow, covers }) => allow === 'user-cookie' && covers(path),
        )
      : pluginId === 'techdocs' && coversTechDocsPages(path);
  }
}
