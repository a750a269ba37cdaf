import { AllowRule, ANY_SEGMENT } from '../config/AllowRule';
import { PLUGIN_ID, RULE_PATH } from '../config/readAllowRules';
import { isCookieEndpoint } from '../http/backstagePaths';
import { WEBSOCKET } from '../http/requestMethod';
import { isOwnRoute } from './isBuiltInPublicRoute';

/** Returns the narrowest rule that opens a request, or `undefined` if no rule can. */
export function ruleFor(
  method: string,
  plugin: string,
  path: string,
): AllowRule | undefined {
  if (
    isCookieEndpoint(path) ||
    (plugin === 'auth' && isOwnRoute(path)) ||
    ['TRACE', 'CONNECT'].includes(method) ||
    !PLUGIN_ID.test(plugin)
  ) {
    return undefined;
  }
  const rule = { plugin, methods: [method === 'HEAD' ? 'GET' : method] };
  if (RULE_PATH.test(path)) {
    return { ...rule, path };
  }
  if (method === WEBSOCKET) {
    return undefined;
  }
  const [first, ...others] = path.slice(1).split('/');
  const segments = [
    first,
    ...others.map(segment => (RULE_PATH.test(segment) ? segment : ANY_SEGMENT)),
  ];
  return {
    ...rule,
    path: RULE_PATH.test(first) ? `/${segments.join('/')}` : '/**',
  };
}

/** Formats a rule as an entry of a list in YAML. */
export function yamlOf({ plugin, path, methods }: AllowRule): string {
  return `- { plugin: ${plugin}, path: '${path}', methods: [${methods.join(', ')}] }`;
}
