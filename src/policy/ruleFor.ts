import type { AllowRule } from '../config/AllowRule';
import { RULE_PATH } from '../config/readAllowRules';
import { isCookieEndpoint } from '../http/backstagePaths';
import { WEBSOCKET } from '../http/requestMethod';

/** Returns the narrowest rule that opens a request, or `undefined` if no rule can. */
export function ruleFor(
  method: string,
  plugin: string,
  path: string,
): AllowRule | undefined {
  const isFullUserToken = plugin === 'auth' && /^\/api-gate(\/|$)/i.test(path);
  if (
    isCookieEndpoint(path) ||
    isFullUserToken ||
    ['TRACE', 'CONNECT'].includes(method) ||
    !/^[a-z0-9_-]+$/.test(plugin)
  ) {
    return undefined;
  }
  const rule = { plugin, methods: [method === 'HEAD' ? 'GET' : method] };
  if (RULE_PATH.test(path)) {
    return { ...rule, path };
  }
  const segments = path.split('/');
  const end = segments.findIndex(segment => !RULE_PATH.test(segment));
  return method === WEBSOCKET
    ? undefined
    : { ...rule, path: `${segments.slice(0, end).join('/')}/**` };
}
