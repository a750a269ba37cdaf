import { orderBy, takeWhile } from 'lodash';
import { readApiTarget } from './readApiTarget';
import {
  isCookieEndpoint,
  isUnambiguousPath,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import {
  AllowRule,
  ANY_SEGMENT,
  PLUGIN_ID,
  segmentsOf,
} from '../../gate/rules/AllowRule';
import { judge, Judgement } from '../../gate/judge/judge';
import { Refusal } from '../../gate/Refusal';
import { RULE_PATH } from '../read/readAllowRules';
import {
  classifyRoute,
  isOwnRoute,
  RouteClass,
  RoutePolicy,
} from '../../gate/rules/classifyRoute';

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

/** Judges a request that presents nothing, as the gate does. */
export function judgeAnonymous(route: RouteClass): Judgement {
  const outcome = Refusal.because('missing-credentials');
  const role = 'authenticates';
  const presented = { role, kind: 'none', token: undefined } as const;
  const missing = { presented: { ...presented, refused: outcome }, outcome };
  return judge(
    { isEnforced: true, isUpgrade: false, route },
    route === 'protected' ? [missing] : [],
  );
}

/**
 * Explains whether the gate passes a request without a credential once it enforces.
 *
 * @param request.target - raw, as on the first line of the request
 * @param request.method - `WEBSOCKET` stands for an upgrade
 * @param now - the time by which rules have ended, in milliseconds since 1970
 */
export function explainRequest(
  request: { method: string; target: string },
  policy: RoutePolicy,
  isInstalled: (plugin: string) => boolean,
  now = Date.now(),
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
  const { method } = request;
  const route = {
    pluginId: plugin,
    path,
    method,
    isInstalled: isInstalled(plugin),
  };
  const judgement = judgeAnonymous(classifyRoute(route, policy, now));
  if (!judgement.refusal) {
    const because = judgement.reason as Explanation['because'];
    const { rule } = judgement;
    return { anonymous: 'public', because, plugin, path, rule };
  }
  const { allowList } = policy;
  const closed = { anonymous: 'needs-credential', plugin, path } as const;
  return {
    ...closed,
    because: 'no-rule',
    nearest: findNearestRule(allowList.rules, plugin, path),
    opening: ruleFor(method, plugin, path),
  };
}

/**
 * Finds the rule of the same plugin that shares the most leading segments with a path, and of those the one that shares the most
 * as literal segments: `*` shares every segment. The result is `undefined` if the plugin has no rule.
 */
export function findNearestRule(
  rules: readonly AllowRule[],
  plugin: string,
  path: string,
): AllowRule | undefined {
  const segments = path.split('/').filter(Boolean);
  const shared = rules
    .filter(rule => rule.plugin === plugin)
    .map(rule => ({ rule, ...countShared(rule, segments) }));
  return orderBy(shared, ['all', 'literal'], ['desc', 'desc'])[0]?.rule;
}

function countShared(rule: AllowRule, segments: readonly string[]) {
  const shared = takeWhile(
    segmentsOf(rule).slice(0, segments.length),
    (own, i) => own === segments[i] || own === ANY_SEGMENT,
  );
  const literal = shared.filter((own, i) => own === segments[i]);
  return { all: shared.length, literal: literal.length };
}

/** Returns the narrowest rule that opens a request, or `undefined` if no rule can. */
export function ruleFor(method: string, plugin: string, path: string) {
  if (
    isCookieEndpoint(path) ||
    (plugin === 'auth' && isOwnRoute(path)) ||
    ['TRACE', 'CONNECT'].includes(method) ||
    (method === WEBSOCKET && !RULE_PATH.test(path)) ||
    !PLUGIN_ID.test(plugin)
  ) {
    return undefined;
  }
  const segments = path
    .slice(1)
    .split('/')
    .map(segment => (RULE_PATH.test(segment) ? segment : ANY_SEGMENT));
  return {
    plugin,
    methods: [method === 'HEAD' ? 'GET' : method],
    path: segments[0] === ANY_SEGMENT ? '/**' : `/${segments.join('/')}`,
  };
}
