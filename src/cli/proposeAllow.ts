import type { Config } from '@backstage/config';
import { compact, difference, differenceBy, partition, sortBy } from 'lodash';
import { isCookieEndpoint, isUnambiguousPath } from '../gate/read/requestLine';
import { PLUGIN_ID } from '../gate/rules/AllowRule';
import { isTrue } from '../settings/read/values';
import {
  hasWebhookSecret,
  secretOf,
  VERIFIED_TOPICS,
} from '../settings/read/webhookSecrets';
import {
  asTexts,
  createGet,
  Get,
  NO_BARRIERS,
  readProxyEndpoints,
} from '../operators/findings/backstageSettings';
import {
  describeRequests,
  describeWorked,
  formatWorked,
  POLICY_DISABLED,
  WorkedRequests,
} from '../operators/reports/describeReportOnly';
import { isRecordableText } from '../operators/reports/rulePath';
import { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { MAX_PATH_LENGTH } from '../operators/hideTokens';
import { shorten } from '../settings/logLine';
import type { ProposalFacts } from './proposeSettings';

const MAX_LINES = 200;
const MAX_LINE_BYTES = 500;

const nameOf = ({ plugin, method, path }: WorkedRequests) =>
  `${plugin}${path} ${method}`;

/** Proposes allow rules, each as a comment: for requests that worked in report-only, and for webhooks of the configuration. */
export function proposeAllow(facts: ProposalFacts): string[] {
  const { declared, root } = facts;
  const get = createGet(root);
  const isDisabled =
    isTrue(get(NO_BARRIERS)) || declared?.reportOnly?.note !== undefined;
  return isDisabled
    ? [`# ${POLICY_DISABLED}`]
    : [...proposeRules(facts, get), ...describeOpenInConfig(get)];
}

function proposeRules(facts: ProposalFacts, get: Get): string[] {
  const { declared, gate, root } = facts;
  const policy = new ConfiguredPolicy(gate);
  const seen = (declared?.reportOnly?.worked ?? []).map(withSafePath);
  const installed = declared?.installed ?? ['events'];
  const webhooks = installed.includes('events') ? readWebhooks(get) : [];
  const all = [...seen, ...differenceBy(webhooks, seen, nameOf)].flatMap(
    worked => describeWorked(worked, policy, false) ?? [],
  );
  const [rules, others] = partition(sortBy(all, nameOf), 'yaml');
  return [
    ...(rules.length > 0 ? ['# allow:'] : []),
    ...limit(
      rules.flatMap((rule, i) =>
        i > 0 && nameOf(rule) === nameOf(rules[i - 1])
          ? [`#     and ${describeRequests(rule)}`]
          : [
              formatWorked(rule).replace(/^# /, '#   '),
              ...describeSecret(rule, root, get),
            ],
      ),
    ),
    ...limit(others.map(other => `# ${formatWorked(other)}`)),
  ];
}

/** Leaves out a rule, and a path that the gate itself would not record. The policy is the answer of a server. */
function withSafePath({ yaml, ...worked }: WorkedRequests): WorkedRequests {
  const { path, status, ...others } = worked;
  const isSafe =
    PLUGIN_ID.test(worked.plugin) &&
    path !== undefined &&
    path.length <= MAX_PATH_LENGTH &&
    isUnambiguousPath(path) &&
    isRecordableText(path) &&
    !isCookieEndpoint(path);
  return isSafe ? worked : others;
}

/** Returns the webhooks of modules that verify the sender, if the configuration names them. Nobody may have called them yet. */
function readWebhooks(get: Get): WorkedRequests[] {
  const topics = asTexts(get('events.http.topics'));
  return VERIFIED_TOPICS.filter(
    topic => topics.includes(topic) || get(`events.modules.${topic}`),
  ).map(topic => ({
    plugin: 'events',
    method: 'POST',
    path: `/http/${topic}`,
    requests: 0,
    firstSeen: '',
    lastSeen: '',
  }));
}

/** Describes what the rule of a webhook needs before it opens only what its module verifies. */
function describeSecret(
  { plugin, path }: WorkedRequests,
  root: Config,
  get: Get,
): string[] {
  const topic = VERIFIED_TOPICS.find(each => path === `/http/${each}`);
  if (plugin !== 'events' || topic === undefined) {
    return [];
  }
  return compact([
    !hasWebhookSecret(topic, root) &&
      `#     stops the start until ${secretOf(topic)} is set`,
    asTexts(get('events.http.topics')).includes(topic) &&
      `#     remove ${topic} from events.http.topics: without the module of ${topic}, everybody could send`,
  ]);
}

/** Describes what the configuration opens to everybody, and no rule is proposed for. */
function describeOpenInConfig(get: Get): string[] {
  const topics = asTexts(get('events.http.topics'));
  const webhooks = difference(topics, VERIFIED_TOPICS).map(
    topic =>
      `# POST /api/events/http/${topic}: no rule is proposed, since no module of Backstage's verifies the sender: see docs/recipes/webhooks.md`,
  );
  const open = readProxyEndpoints(get).filter(({ isPublic }) => isPublic);
  const endpoints = open.map(
    ({ at }) =>
      `# ${at} is open to everybody: no rule is proposed for the plugin proxy, whose handlers act with credentials of their own`,
  );
  return [...webhooks, ...endpoints];
}

/** Limits the lines and their length, since a server may send thousands. */
function limit(lines: string[]): string[] {
  const left = lines.length - MAX_LINES;
  return [
    ...lines.slice(0, MAX_LINES).map(line => shorten(line, MAX_LINE_BYTES)),
    ...(left > 0 ? [`# and ${left} more: see reportOnly of the policy`] : []),
  ];
}
