import { yamlOf } from '../../gate/rules/AllowRule';
import type { LimitedRequest } from '../../gate/rules/TokenLimits';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { findFailedExpectations } from '../../settings/expectations/checkExpectations';
import {
  Explanation,
  ruleFor,
} from '../../settings/expectations/explainRequest';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { formatExpected } from '../../settings/read/readExpectations';
import { RULE_PATH } from '../../settings/read/readAllowRules';
import type { Decision } from '../../gate/Decision';
import type { DecidedRequest } from '../../gate/GateObserver';
import { secretOf, VERIFIED_TOPICS } from '../findings/backstageSettings';
import {
  isCookieEndpoint,
  isUnambiguousPath,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import type { WorkedRequest } from '../../store/usage/Use';
import { LIKE_A_TOKEN, MAX_PATH_LENGTH } from '../hideTokens';

// Names of packages hold an @ too, in front or before a version.
const LIKE_AN_EMAIL = /[^/]@[^/]+\.[a-z]/i;

// Whoever reaches their handlers acts with the credentials of these.
const NEVER_PROPOSED = ['kubernetes', 'mcp-actions', 'proxy', 'scaffolder'];

/**
 * Returns the path of a request that may be recorded and proposed: a rule may have it, it holds nothing like a token or the address
 * of a person, and the request has presented no credential. Such a path is plain text in YAML, too.
 */
export function recordablePathOf(
  { isInstalled, path }: DecidedRequest,
  { reason }: Decision,
): string | undefined {
  const isRecordable =
    reason === 'missing-credentials' &&
    isInstalled &&
    path !== undefined &&
    path.length <= MAX_PATH_LENGTH &&
    isUnambiguousPath(path) &&
    isRecordableText(path) &&
    !isCookieEndpoint(path);
  return isRecordable ? path : undefined;
}

/** Returns why a request that presented a credential would be refused, and whose external token it was. No user is recorded. */
export function recordableReasonOf({
  detail,
  reason,
  subject,
}: Decision): Pick<WorkedRequest, 'reason' | 'subject'> {
  switch (reason) {
    case 'missing-credentials':
      return {};
    case 'restricted':
    case 'token-ended':
      return { reason: detail ?? reason, subject };
    default:
      return { reason };
  }
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
 * Proposes the rule for requests that worked as YAML: the path and the method that were seen, and nothing else. A webhook's rule requires
 * the secret by which its module verifies the sender. Where no rule is proposed, the reason is returned.
 */
export function proposeRule(
  worked: WorkedRequest,
): { yaml: string } | { why: string } {
  const { plugin, method, path } = worked;
  if (NEVER_PROPOSED.includes(plugin)) {
    return {
      why: `no rule is proposed for the plugin ${plugin}, whose handlers act with credentials of their own`,
    };
  }
  if (method === WEBSOCKET) {
    return {
      why: 'no rule is proposed for a WebSocket: see docs/websockets.md',
    };
  }
  const topic =
    plugin === 'events' && method === 'POST'
      ? VERIFIED_TOPICS.find(each => path === `/http/${each}`)
      : undefined;
  if (method !== 'GET' && method !== 'HEAD' && !topic) {
    return {
      why: `no rule is proposed for ${method}, which may change data: see docs/recipes/webhooks.md`,
    };
  }
  if (!path) {
    return {
      why: 'no rule is proposed, since the path is not recorded: see docs/usage.md',
    };
  }
  const requires = topic && secretOf(topic);
  return { yaml: yamlOf({ plugin, path, methods: [method], requires }) };
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
  // In its default, the change would be for others, too.
  const place = `in an entry for ${subject}`;
  return change ? `To allow it, ${change} ${place}` : 'No only can have it';
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
