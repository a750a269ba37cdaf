import { compact, once } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { overlap } from '../../settings/read/readForeignAuthorization';
import { findTexts } from '../../settings/read/requirements';
import { asObject, didYouMean, isTrue } from '../../settings/read/values';
import { WEBSOCKET } from '../../gate/read/requestLine';
import { mapInPieces, Pieces } from '../pieces';
import { Facts, findAbsentPlugin, findEnd, Finding, Possible } from './Finding';
import {
  asList,
  asTexts,
  Get,
  isText,
  ProxyEndpoint,
  readProxyEndpoints,
  secretOf,
  VERIFIED_TOPICS,
} from './backstageSettings';

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS', WEBSOCKET];

/**
 * Routes that ask the permission system, or another plugin, in the name of the caller. Both refuse a caller without a
 * credential. The routes were tried with `permission.enabled`.
 */
const AUTHORIZED_ROUTES = new Map([
  ['catalog', ['/entities', '/entity-facets']],
  ['techdocs', ['/static', '/metadata', '/sync']],
]);

/** A finding about a rule, without the rule's place. */
type Fault = Possible<Pick<Finding, 'id' | 'why' | 'write'>>;

const SECRETS = VERIFIED_TOPICS.map(secretOf);

export function* findRuleFindings(facts: Facts): Pieces<Finding[]> {
  const { get } = facts;
  const endpoints = readProxyEndpoints(get);
  const texts = once(() => [...findTexts(facts.config), ...SECRETS]);
  const found = yield* mapInPieces(facts.gate.allow, (rule, i) => {
    const path = `${CONFIG_KEY}.allow[${i}]`;
    const at = `${path} (${formatRule(rule)})`;
    return compact([
      findWidth(rule),
      findUnverified(rule, get),
      ...findProxyFaults(rule, endpoints),
      findAbsentPlugin(facts, rule.plugin, at),
      findRefused(rule, facts),
      findUnmet(rule, texts),
      findEnd(rule, 'opens', at, facts),
    ]).map(({ id, why, write }) => ({ id, at, why, write }));
  });
  return found.flat();
}

function findWidth({ plugin, path }: AllowRule): Fault {
  return (
    path === '/**' && {
      id: 'rule-opens-plugin',
      why: `makes the whole plugin ${plugin} public`,
      write:
        'name the paths that are meant; if a variable stands before its /**, that variable is empty',
    }
  );
}

/** Finds rules by which anybody may change something. The secret of a webhook verifies its sender. */
function findUnverified(rule: AllowRule, get: Get): Fault {
  const unsafe = rule.methods.filter(method => !SAFE_METHODS.includes(method));
  if (rule.plugin === 'events' && reaches(rule, '/http')) {
    return unsafe.includes('POST') && findOpenWebhooks(rule, get);
  }
  return (
    unsafe.length > 0 && {
      id: 'rule-changes-data',
      why: `makes ${unsafe} public`,
      write:
        'leave only the methods that are needed, and accept this finding if the handler checks who calls',
    }
  );
}

function findOpenWebhooks(rule: AllowRule, get: Get): Fault {
  const named = VERIFIED_TOPICS.filter(
    topic => rule.path.toLowerCase() === `/http/${topic}`.toLowerCase(),
  );
  const topics = new Set([...asTexts(get('events.http.topics')), ...named]);
  const withSecret = readWebhookSecrets(get);
  const open = [...topics].filter(
    topic =>
      reaches(rule, `/http/${topic}`) &&
      !withSecret.has(topic.toLowerCase()) &&
      !(VERIFIED_TOPICS.includes(topic) && rule.requires === secretOf(topic)),
  );
  const secrets = open.map(secretOf).join(' and ');
  const required =
    open.length === 1 ? `, and add requires: ${secrets} to the rule` : '';
  return (
    open.length > 0 && {
      id: 'open-webhook-without-secret',
      why: `opens the webhook ${open}, and no secret is configured for it, so that anybody can publish events`,
      write: open.every(topic => VERIFIED_TOPICS.includes(topic))
        ? `set ${secrets} to the secret of the sender${required}, or remove the rule`
        : 'verify the sender in a module of the events plugin and accept this finding, or remove the rule',
    }
  );
}

/** Returns the topics whose webhooks have a secret, in lower case. */
function readWebhookSecrets(get: Get): ReadonlySet<string> {
  const modules = Object.entries(asObject(get('events.modules'))).filter(
    ([, module]) => isText(asObject(module).webhookSecret),
  );
  const hasGithubApp = asList(get('integrations.github'))
    .flatMap(integration => asList(asObject(integration).apps))
    .map(asObject)
    .some(({ appId, webhookSecret }) => appId && isText(webhookSecret));
  return new Set([
    ...modules.map(([id]) => id.toLowerCase()),
    ...(hasGithubApp ? ['github'] : []),
  ]);
}

function findProxyFaults(rule: AllowRule, endpoints: ProxyEndpoint[]): Fault[] {
  return endpoints
    .filter(({ path }) => rule.plugin === 'proxy' && reaches(rule, path))
    .flatMap(({ at, isPublic, secrets }) => [
      secrets.length > 0 && {
        id: 'open-proxy-with-secret',
        why: `lets anybody use the credential that ${at} has for its target (${secrets.join(', ')})`,
        write: `remove the rule, or the credential from ${at}`,
      },
      !isPublic && {
        id: 'rule-will-not-work',
        // The text names the version for older plugins.
        // Goes in August 2027: proxy plugins before September 2026 do not ask for a credential.
        why: `opens ${at}, where the proxy plugin itself asks for a credential since its version 0.6.18`,
        write: `remove the rule, or set credentials of ${at} to dangerously-allow-unauthenticated`,
      },
    ]);
}

function findRefused(rule: AllowRule, { get, isLegacy }: Facts): Fault {
  const { plugin } = rule;
  const refused = (AUTHORIZED_ROUTES.get(plugin) ?? []).filter(path =>
    reaches(rule, path),
  );
  return (
    refused.length > 0 &&
    !isLegacy &&
    isTrue(get('permission.enabled')) && {
      id: 'rule-will-not-work',
      why: `opens ${refused.join(', ')}, where the plugin ${plugin} asks for permission in the name of the caller and refuses one without a credential`,
      write:
        'remove the rule and give the caller a token, or let an ingress add one',
    }
  );
}

function findUnmet(rule: AllowRule, texts: () => string[]): Fault {
  const { requires = '', unmet } = rule;
  const meant = requires && didYouMean(requires, texts());
  return (
    (unmet || meant !== '') && {
      id: 'rule-requirement-not-met',
      why: `opens nothing, since ${requires} ${unmet ? 'was not set when the process started, or is not set now' : 'is not set'}${meant}`,
      write: `set ${requires} and restart, ${meant && 'or correct the path, '}or remove the rule`,
    }
  );
}

/** Whether a rule opens a route, or a part of what is below it. */
function reaches(rule: AllowRule, route: string): boolean {
  return overlap({ plugin: rule.plugin, path: `${route}/**` }, rule);
}
