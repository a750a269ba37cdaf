import type {
  HttpRouterService,
  HttpRouterServiceAuthPolicy,
} from '@backstage/backend-plugin-api';
import { pathToRegexp } from 'path-to-regexp';

/** What plugins open of themselves in code, by `httpRouter.addAuthPolicy`. */
export class DeclaredPolicies {
  readonly #byPlugin = new Map<string, DeclaredPolicy[]>();
  readonly #ofTheGate = new WeakSet<HttpRouterServiceAuthPolicy>();
  readonly #watched = new WeakSet<HttpRouterService>();

  /** Notes what is declared from here on through a plugin's `httpRouter`. */
  watch(pluginId: string, httpRouter: HttpRouterService): HttpRouterService {
    const policies: DeclaredPolicy[] = [];
    this.#byPlugin.set(pluginId, policies);
    const watched: HttpRouterService = {
      ...httpRouter,
      addAuthPolicy: policy => {
        httpRouter.addAuthPolicy(policy);
        if (!this.#ofTheGate.has(policy)) {
          const { path, allow } = policy;
          policies.push({ path, allow, covers: createPathPredicate(path) });
        }
      },
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

  /**
   * Whether a plugin has declared that Backstage's own cookie may read a path. Where the declarations are not known, only
   * TechDocs' pages and images count, which can't be shown without.
   */
  acceptsStockCookie(pluginId: string, path: string): boolean {
    const policies = this.#byPlugin.get(pluginId) ?? UNKNOWN[pluginId] ?? [];
    return policies.some(
      policy => policy.allow === 'user-cookie' && policy.covers(path),
    );
  }
}

interface DeclaredPolicy extends HttpRouterServiceAuthPolicy {
  covers(path: string): boolean;
}

const UNKNOWN: Record<string, DeclaredPolicy[] | undefined> = {
  techdocs: [
    {
      path: '/static',
      allow: 'user-cookie',
      covers: createPathPredicate('/static'),
    },
  ],
};

/** Reads a policy's path as Backstage's barrier does: a prefix, without case. */
function createPathPredicate(policyPath: string): (path: string) => boolean {
  if (policyPath === '/' || policyPath === '*') {
    return () => true;
  }
  const { regexp } = pathToRegexp(policyPath, { end: false });
  return path => regexp.test(path);
}
