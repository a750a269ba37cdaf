import { uniq } from 'lodash';
import { AllowRule, endOf } from '../../gate/rules/AllowRule';
import { WEBSOCKET } from '../../gate/read/requestLine';
import { formatRule } from '../../settings/read/readAllowRules';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { overlap } from '../../settings/read/readForeignAuthorization';
import {
  hasWebhookSecret,
  secretOf,
  VERIFIED_TOPICS,
} from '../../settings/read/webhookSecrets';
import { asTexts, readProxyEndpoints } from './backstageSettings';
import { endsSoon, Facts, Place } from './Finding';

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS', WEBSOCKET];

/** Finds places in `allow`. */
function findInRules(
  { gate }: Facts,
  find: (rule: AllowRule) => Omit<Place, 'at'>[],
): Place[] {
  return gate.allow.flatMap((rule, i) =>
    find(rule).map(place => ({
      at: `${CONFIG_KEY}.allow[${i}] (${formatRule(rule)})`,
      ...place,
    })),
  );
}

export function findWideRules(facts: Facts): Place[] {
  return findInRules(facts, ({ plugin, path }) =>
    path === '/**' ? [{ plugin }] : [],
  );
}

/** Finds rules by which anybody may change something. The secret of a webhook verifies its sender. */
export function findUnsafeMethods(facts: Facts): Place[] {
  return findInRules(facts, rule => {
    const methods = unsafeMethodsOf(rule);
    return methods.length > 0 && !isForWebhooks(rule)
      ? [{ methods: `${methods}` }]
      : [];
  });
}

export function findOpenWebhooks(facts: Facts): Place[] {
  const topics = uniq(asTexts(facts.get('events.http.topics')));
  return findInRules(facts, rule => {
    const open = topics.filter(
      topic =>
        reaches(rule, `/http/${topic}`) &&
        !hasWebhookSecret(topic, facts.config),
    );
    const remedy = open.every(topic => VERIFIED_TOPICS.includes(topic))
      ? `set ${open.map(secretOf).join(' and ')} to the secret of the sender`
      : 'verify the sender in a module of the events plugin and accept this finding';
    return open.length > 0 &&
      isForWebhooks(rule) &&
      unsafeMethodsOf(rule).includes('POST')
      ? [{ topics: `${open}`, remedy }]
      : [];
  });
}

export function findOpenProxies(facts: Facts): Place[] {
  const endpoints = readProxyEndpoints(facts.get).filter(
    ({ secrets }) => secrets.length > 0,
  );
  return findInRules(facts, rule =>
    endpoints
      .filter(({ path }) => rule.plugin === 'proxy' && reaches(rule, path))
      .map(({ at, secrets }) => ({
        endpoint: at,
        secrets: secrets.join(', '),
      })),
  );
}

/** Finds rules that end within a week. */
export function findEndingRules(facts: Facts): Place[] {
  return findInRules(facts, rule =>
    endsSoon(endOf(rule), facts)
      ? [{ time: new Date(endOf(rule)).toISOString() }]
      : [],
  );
}

function unsafeMethodsOf({ methods }: AllowRule): string[] {
  return methods.filter(method => !SAFE_METHODS.includes(method));
}

function isForWebhooks(rule: AllowRule): boolean {
  return rule.plugin === 'events' && reaches(rule, '/http');
}

/** Returns whether a rule opens a route, or a part of what is below it. */
function reaches(rule: AllowRule, route: string): boolean {
  return overlap({ plugin: rule.plugin, path: `${route}/**` }, rule);
}
