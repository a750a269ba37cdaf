import type {
  HttpRouterService,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import { pathToRegexp } from 'path-to-regexp';

/** What a plugin has opened: what is below a path, or one WebSocket handler. */
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
    // The barrier has refused it too, unless it is switched off.
    return () => false;
  }
}

/** Whether a path of the `techdocs` plugin is below its pages and images, which can't be shown without a cookie. */
export const coversTechDocsPages = createPathPredicate('/static');

/** What plugins open of themselves in code, by `httpRouter.addAuthPolicy` and `addWebSocketHandler`. */
export class DeclaredPolicies {
  readonly #byPlugin = new Map<string, KnownPolicy[]>();
  readonly #ofTheGate = new WeakSet<HttpRouterServiceAuthPolicy>();
  readonly #watched = new WeakSet<HttpRouterService>();

  /** Notes what is declared from here on through a plugin's `httpRouter`. */
  watch(pluginId: string, httpRouter: HttpRouterService): HttpRouterService {
    const plugin = pluginId.toLowerCase();
    const policies: KnownPolicy[] = [];
    this.#byPlugin.set(plugin, policies);
    const watched: HttpRouterService = {
      ...httpRouter,
      addAuthPolicy: policy => {
        httpRouter.addAuthPolicy(policy);
        if (!this.#ofTheGate.has(policy)) {
          const { path, allow } = policy;
          const covers = createPathPredicate(path);
          policies.push({ plugin, path, allow, isWebSocket: false, covers });
        }
      },
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
    this.#watched.add(watched);
    return watched;
  }

  /** Whether an `httpRouter` is one that this watches. An app that brings its own has others. */
  isWatched(httpRouter: HttpRouterService): boolean {
    return this.#watched.has(httpRouter);
  }

  /** Opens a path on the plugin's own barrier on behalf of the gate: not the plugin's declaration. */
  openBarrier(httpRouter: HttpRouterService, path: string): void {
    const policy = { path, allow: 'unauthenticated' } as const;
    this.#ofTheGate.add(policy);
    httpRouter.addAuthPolicy(policy);
  }

  /** Whether it is known what a plugin declares. */
  isKnown(pluginId: string): boolean {
    return this.#byPlugin.has(pluginId);
  }

  /** What all plugins have declared. */
  all(): DeclaredPolicy[] {
    return [...this.#byPlugin.values()].flat();
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

  /** Whether a plugin has declared that Backstage's own cookie may read a path; TechDocs has, even where that is not known. */
  acceptsUserCookie(pluginId: string, path: string): boolean {
    const policies = this.#byPlugin.get(pluginId.toLowerCase());
    return policies
      ? policies.some(
          ({ allow, covers }) => allow === 'user-cookie' && covers(path),
        )
      : pluginId === 'techdocs' && coversTechDocsPages(path);
  }
}
