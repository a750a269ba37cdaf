import { isUnambiguousPath, readApiTarget } from '../http/requestTarget';
import type { AllowRule } from '../config/AllowRule';
import { classifyRoute, RoutePolicy } from './classifyRoute';
import { findNearestRule } from './findNearestRule';
import { ruleFor } from './ruleFor';

/** The access of one request without a credential, and the reason. */
export interface Explanation {
  /** `not-gated`: the target is not below `/api/<plugin>`, so the gate does not see it. */
  anonymous: 'public' | 'needs-credential' | 'not-gated';
  because:
    | 'allow-rule'
    | 'built-in-public'
    | 'sign-out'
    | 'no-rule'
    /** Routers and proxies may read the target differently, so no rule can name it. */
    | 'not-plain'
    | 'not-below-a-plugin';
  /** The rule, with the reason `allow-rule`. */
  rule?: AllowRule;
  /** The rule in force that comes closest, with the reason `no-rule`; `undefined` if the plugin has none. */
  nearest?: AllowRule;
  /** The rule that would open the request, with the reason `no-rule`; `undefined` if none can. */
  opening?: AllowRule;
  /** The plugin's id, for targets below `/api` only. */
  plugin?: string;
  /** The path below the plugin, if it is unambiguous. */
  path?: string;
}

/**
 * Explains whether the gate passes a request without a credential once it enforces.
 *
 * @param request.target - raw, as on the first line of the request
 * @param request.method - `WEBSOCKET` stands for an upgrade
 * @param isInstalled - returns whether the backend has a plugin
 */
export function explainRequest(
  request: { method: string; target: string },
  policy: RoutePolicy,
  isInstalled: (plugin: string) => boolean,
): Explanation {
  const target = readApiTarget(request.target);
  if (target === undefined) {
    return { anonymous: 'not-gated', because: 'not-below-a-plugin' };
  }
  if (target === 'unreadable') {
    return { anonymous: 'needs-credential', because: 'not-plain' };
  }
  const { plugin, path } = target;
  if (path === undefined || !isUnambiguousPath(path)) {
    return { anonymous: 'needs-credential', because: 'not-plain', plugin };
  }
  const route = classifyRoute(
    { plugin, path, method: request.method, isInstalled: isInstalled(plugin) },
    policy,
  );
  if (route === 'protected') {
    return {
      anonymous: 'needs-credential',
      because: 'no-rule',
      nearest: findNearestRule(policy.allowList.rules, plugin, path),
      opening: ruleFor(request.method, plugin, path),
      plugin,
      path,
    };
  }
  return typeof route === 'object'
    ? { anonymous: 'public', because: 'allow-rule', rule: route, plugin, path }
    : { anonymous: 'public', because: route, plugin, path };
}
