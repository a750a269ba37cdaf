import { compact } from 'lodash';
import { ANY_SEGMENT } from '../../gate/rules/AllowRule';
import type { LimitedRequest } from '../../gate/rules/TokenLimits';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { Explanation, ruleFor } from '../../settings/rules/explainRequest';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { yamlOf } from '../../settings/read/readAllowRules';
import { VERIFIED_TOPICS } from '../../settings/read/webhookSecrets';
import { isRead, WEBSOCKET } from '../../gate/read/requestLine';
import type { WorkedRequests } from './describeReportOnly';

// Whoever reaches their handlers acts with the credentials of these.
const NEVER_PROPOSED = ['kubernetes', 'mcp-actions', 'proxy', 'scaffolder'];

/**
 * Proposes the rule for requests that worked as YAML: the path and the method that were seen, and nothing else. Where no rule is proposed,
 * the reason is returned.
 */
export function proposeRule(
  worked: Pick<WorkedRequests, 'plugin' | 'method' | 'path'>,
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
      'no rule is proposed, since no rule can name the path, or its plugin has too many: see docs/allow-rules.md',
    path.split('/').includes(ANY_SEGMENT) &&
      'no rule is proposed, since * stands for different segments, or for one that may be a secret: write the rule by hand',
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

/** Returns the rule that would open a request, as YAML, and whether the configuration refuses it. */
export function describeOpening(
  { because, opening, path }: Explanation,
  { config }: ConfiguredPolicy,
): (string | false | undefined)[] {
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
  return [
    'This would make it public; a handler that asks for a user still refuses:',
    `  ${yamlOf(opening)}${note}`,
    config.closed.includes(opening.plugin) &&
      `With this rule, the backend does not start while ${CONFIG_KEY}.closed has ${opening.plugin}`,
  ];
}
