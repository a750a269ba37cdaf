import { compact, uniq } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { overlap } from '../../settings/read/readForeignAuthorization';
import { isTrue } from '../../settings/read/values';
import {
  hasWebhookSecret,
  secretOf,
  VERIFIED_TOPICS,
} from '../../settings/read/webhookSecrets';
import { WEBSOCKET } from '../../gate/read/requestLine';
import { Facts, findAbsentPlugin, findEnd, Finding, Possible } from './Finding';
import {
  asTexts,
  ProxyEndpoint,
  readProxyEndpoints,
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

export function findRuleFindings(facts: Facts): Finding[] {
  const { get } = facts;
  const endpoints = readProxyEndpoints(get);
  return facts.gate.allow.flatMap((rule, i) => {
    const path = `${CONFIG_KEY}.allow[${i}]`;
    const at = `${path} (${formatRule(rule)})`;
    return compact([
      findWidth(rule),
      findUnverified(rule, facts),
      ...findProxyFaults(rule, endpoints),
      findAbsentPlugin(facts, rule.plugin, at),
      findRefused(rule, facts),
      findEnd(rule, 'opens', at, facts),
    ]).map(({ id, why, write }) => ({ id, at, why, write }));
  });
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
function findUnverified(rule: AllowRule, facts: Facts): Fault {
  const unsafe = rule.methods.filter(method => !SAFE_METHODS.includes(method));
  if (rule.plugin === 'events' && reaches(rule, '/http')) {
    return unsafe.includes('POST') && findOpenWebhooks(rule, facts);
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

function findOpenWebhooks(rule: AllowRule, { config, get }: Facts): Fault {
  const open = uniq(asTexts(get('events.http.topics'))).filter(
    topic =>
      reaches(rule, `/http/${topic}`) && !hasWebhookSecret(topic, config),
  );
  const secrets = open.map(secretOf).join(' and ');
  return (
    open.length > 0 && {
      id: 'open-webhook-without-secret',
      why: `opens the webhook ${open}, and no secret is configured for it, so that anybody can publish events`,
      write: open.every(topic => VERIFIED_TOPICS.includes(topic))
        ? `set ${secrets} to the secret of the sender, or remove the rule`
        : 'verify the sender in a module of the events plugin and accept this finding, or remove the rule',
    }
  );
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

/** Whether a rule opens a route, or a part of what is below it. */
function reaches(rule: AllowRule, route: string): boolean {
  return overlap({ plugin: rule.plugin, path: `${route}/**` }, rule);
}
