import { compact } from 'lodash';
import { AllowRule, ANY_SEGMENT, PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { LimitedRequest } from '../../gate/rules/TokenLimits';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { findFailedExpectations } from '../../settings/expectations/checkExpectations';
import {
  Explanation,
  ruleFor,
} from '../../settings/expectations/explainRequest';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { formatExpected } from '../../settings/read/readExpectations';
import { RULE_PATH, yamlOf } from '../../settings/read/readAllowRules';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest } from '../../gate/GateObserver';
import { VERIFIED_TOPICS } from '../../settings/read/webhookSecrets';
import {
  isCookieEndpoint,
  isRead,
  isUnambiguousPath,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import {
  ODD_PATH,
  tokenCallOf,
  Use,
  WorkedRequest,
} from '../../store/usage/Use';
import { hideTokens, LIKE_A_TOKEN, MAX_PATH_LENGTH } from '../hideTokens';

// Names of packages hold an @ too, in front or before a version.
const LIKE_AN_EMAIL = /[^/]@[^/]+\.[a-z]/i;

// Whoever reaches their handlers acts with the credentials of these.
const NEVER_PROPOSED = ['kubernetes', 'mcp-actions', 'proxy', 'scaffolder'];

/**
 * Returns what may be recorded of a request. Without a credential, that is its path: a rule may have it, and it holds nothing like a token or
 * the address of a person. Such a path is plain text in YAML, too. With a credential, it is why that would be refused, and whose external
 * token it was. No user is recorded.
 */
export function recordableOf(
  { isInstalled, path }: DecidedRequest,
  { detail, reason, subject }: Decision,
): Pick<WorkedRequest, 'path' | 'reason' | 'subject'> {
  if (reason === 'missing-credentials') {
    const isRecordable =
      isInstalled &&
      path !== undefined &&
      path.length <= MAX_PATH_LENGTH &&
      isUnambiguousPath(path) &&
      isRecordableText(path) &&
      !isCookieEndpoint(path);
    return isRecordable ? { path } : {};
  }
  return reason === 'restricted' || reason === 'token-ended'
    ? { reason: detail ?? reason, subject }
    : { reason };
}

/** Returns whether a path or a segment is one that a rule may have, and holds nothing like a token or the address of a person. */
export function isRecordableText(text: string): boolean {
  return (
    RULE_PATH.test(text) &&
    !LIKE_A_TOKEN.test(text) &&
    !LIKE_AN_EMAIL.test(text)
  );
}

/**
 * Proposes the rule for requests that worked as YAML: the path and the method that were seen, and nothing else. Where no rule is proposed,
 * the reason is returned.
 */
export function proposeRule(
  worked: WorkedRequest,
): { yaml: string } | { why: string } {
  const { plugin, method, path = '' } = worked;
  const topic = VERIFIED_TOPICS.find(each => path === `/http/${each}`);
  const isWebhook = plugin === 'events' && method === 'POST' && topic;
  const [why] = compact([
    NEVER_PROPOSED.includes(plugin) &&
      `no rule is proposed for the plugin ${plugin}, whose handlers act with credentials of their own`,
    method === WEBSOCKET &&
      'no rule is proposed for a WebSocket: see docs/websockets.md',
    !isRead(method) &&
      !isWebhook &&
      `no rule is proposed for ${method}, which may change data: see docs/recipes/webhooks.md`,
    !path &&
      'no rule is proposed, since the path is not recorded: see docs/usage.md',
  ]);
  return why ? { why } : { yaml: yamlOf({ plugin, path, methods: [method] }) };
}

/** Proposes what would allow a request that the limits of an external token refuse. */
export function proposeForToken(
  reason: 'restricted' | 'token-ended',
  { method, path, pluginId }: LimitedRequest,
  subject: string,
): string {
  const rule = path && ruleFor(method, pluginId, path);
  const add = rule && `add ${yamlOf(rule).slice(2)} to only`;
  const change = reason === 'restricted' ? add : 'write a later until';
  // In the subject's default, the change would apply to other subjects, too.
  const place = `in an entry for ${subject}`;
  return change
    ? `To allow it, ${change} ${place}`
    : 'No rule of only can match it';
}

/** Returns the rule that would open a request, as YAML, and the first expectation that it would break. */
export function describeOpening(
  { because, opening, path }: Explanation,
  { config }: ConfiguredPolicy,
): (string | undefined)[] {
  if (because !== 'no-rule') {
    return [];
  }
  if (!opening) {
    return ['No rule can open it'];
  }
  const note =
    opening.path === path
      ? ''
      : '  # wider than this request: a rule has no such characters';
  const broken = findFailedExpectations({ ...config, allow: [opening] })
    .map(({ index }) => ({ index, ...config.expect[index] }))
    .find(({ is }) => is === 'closed');
  return [
    'This would make it public; a handler that asks for a user still refuses:',
    `  ${yamlOf(opening)}${note}`,
    broken &&
      `With this rule, the backend does not start while ${CONFIG_KEY}.expect[${broken.index}] is there: ${formatExpected(broken)} is closed`,
  ];
}

/**
 * Returns the path by which a request of an external token is recorded, in a form that a rule can have: `*` replaces a segment that
 * may be an id. Returns `undefined` if only a rule for the whole plugin would match, and {@link ODD_PATH} if no rule would.
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
 * Returns `undefined` if no entry would keep all of these calls working.
 */
export function proposeLimits(subject: string, calls: readonly Use[]) {
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
