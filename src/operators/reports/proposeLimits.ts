import {
  AllowRule,
  ANY_SEGMENT,
  PLUGIN_ID,
  yamlOf,
} from '../../gate/rules/AllowRule';
import type { DecidedRequest } from '../../gate/GateObserver';
import {
  isCookieEndpoint,
  isUnambiguousPath,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import { ODD_PATH, tokenCallOf, Use } from '../../store/usage/Use';
import { hideTokens, MAX_PATH_LENGTH } from '../hideTokens';
import { isRecordableText } from './proposeRule';

/**
 * Returns the path by which a request of an external token is recorded, so that a rule may have it. A segment that may be an id is
 * `*`. The result is `undefined` where only a rule for the whole plugin would do, and {@link ODD_PATH} where no rule would.
 */
export function callPathOf({
  method,
  path,
}: Pick<DecidedRequest, 'method' | 'path'>): string | undefined {
  if (!path || !isUnambiguousPath(path) || isCookieEndpoint(path)) {
    return ODD_PATH;
  }
  const segments = path
    .slice(1)
    .split('/')
    .map(segment =>
      isRecordableText(segment) && hideTokens(segment) === segment
        ? segment
        : ANY_SEGMENT,
    );
  const recorded = `/${segments.join('/')}`;
  return segments[0] !== ANY_SEGMENT &&
    recorded.length <= MAX_PATH_LENGTH &&
    !(method === WEBSOCKET && segments.includes(ANY_SEGMENT))
    ? recorded
    : undefined;
}

/**
 * Proposes the entry of `auth.apiGate.tokens` that allows what the tokens of a subject have called and nothing else, as a comment.
 *
 * @param calls - the recorded requests of the subject
 * @returns `undefined` if no entry would keep all of them working
 */
export function proposeLimits(
  subject: string,
  calls: readonly Use[],
): string | undefined {
  const rules = new Map<string, AllowRule>();
  for (const { plugin, method, path = '/**' } of calls.map(tokenCallOf)) {
    if (
      !PLUGIN_ID.test(plugin) ||
      path === ODD_PATH ||
      (path === '/**' && method === WEBSOCKET) ||
      ['TRACE', 'CONNECT'].includes(method)
    ) {
      return undefined;
    }
    const key = `${plugin}${path}`;
    const rule = rules.get(key) ?? { plugin, path, methods: [] };
    rules.set(key, rule);
    // `GET` implies `HEAD`.
    rule.methods.push(method === 'HEAD' ? 'GET' : method);
  }
  const lines = [...rules].sort().flatMap(([, rule]) => {
    const whole = rules.get(`${rule.plugin}/**`);
    const methods = [...new Set(rule.methods)]
      .sort()
      .filter(method => whole === rule || !whole?.methods.includes(method));
    return methods.length > 0 ? [`    ${yamlOf({ ...rule, methods })}`] : [];
  });
  return lines.length > 0
    ? [`- subject: ${JSON.stringify(subject)}`, '  only:', ...lines]
        .map(line => `# ${line}`)
        .join('\n')
    : undefined;
}
