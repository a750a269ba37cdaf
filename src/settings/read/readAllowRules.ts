import { METHODS } from 'node:http';
import { Config, ConfigReader } from '@backstage/config';
import { without } from 'lodash';
import {
  AllowRule,
  ANY_SEGMENT,
  isSubtree,
  PluginPath,
  prefixOf,
  segmentsOf,
} from '../../gate/rules/AllowRule';
import {
  isCookieEndpoint,
  isUnambiguousPath,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import {
  check,
  checkPluginId,
  didYouMean,
  readEndAndReason,
  readList,
  readObject,
} from './values';
import { assertWebhookSecrets, hasWebhookSecret } from './webhookSecrets';

// RFC 3986's unreserved characters, `@` and `/`. The sub-delims and `:` are special in the policies of plugins. A rule may have
// `*` beside them: as a whole segment, or in a trailing `/**`.
export const RULE_PATH = /^[A-Za-z0-9\-._~@/]*$/;

const MAX_PATH_LENGTH = 1000;

// TRACE echoes a request's credentials. CONNECT never reaches a router.
const RULE_METHODS = [...without(METHODS, 'CONNECT', 'TRACE'), WEBSOCKET];

/**
 * Reads the allow rules. A rule that is in doubt is an error, so that none opens more than it says.
 *
 * @param rootConfig - has the secrets of webhooks
 */
export function readAllowRules(
  value: unknown,
  configPath: string,
  rootConfig: Config = new ConfigReader({}),
): AllowRule[] {
  const rules = readList(
    value,
    configPath,
    'a list of rules, each with a plugin and a path',
    readAllowRule,
  );
  assertWebhookSecrets(rules, configPath, topic =>
    hasWebhookSecret(topic, rootConfig),
  );
  return rules;
}

function readAllowRule(value: unknown, configPath: string): AllowRule {
  const keys = ['plugin', 'path', 'methods', 'reason', 'until'] as const;
  const { plugin, path, methods, ...others } = readObject(
    value,
    configPath,
    keys,
  );
  return {
    ...readOpenedRequests({ plugin, path, methods }, configPath),
    ...readEndAndReason(others, configPath, 'why this is public'),
  };
}

export function readOpenedRequests(
  value: unknown,
  configPath: string,
): AllowRule {
  const keys = ['plugin', 'path', 'methods'] as const;
  const { methods, ...place } = readObject(value, configPath, keys);
  const rule = {
    ...readPluginPath(place, configPath, true),
    methods: readMethods(methods, `${configPath}.methods`),
  };
  check(
    !rule.methods.includes(WEBSOCKET) ||
      !(isSubtree(rule) || segmentsOf(rule).includes(ANY_SEGMENT)),
    `${configPath}.path must be exact for the method WEBSOCKET: name each handler's path, without * and /**`,
  );
  return rule;
}

/**
 * @param hasWildcards - whether a segment after the first may be `*`
 */
export function readPluginPath(
  value: unknown,
  configPath: string,
  hasWildcards = false,
): PluginPath {
  const { plugin, path } = readObject(value, configPath, ['plugin', 'path']);
  checkPluginId(plugin, `${configPath}.plugin`);
  const at = `${configPath}.path`;
  check(
    typeof path === 'string' && path.startsWith('/'),
    `${at} must be text that starts with a slash, relative to the plugin, such as /health`,
  );
  check(
    path.length <= MAX_PATH_LENGTH,
    `${at} must be at most ${MAX_PATH_LENGTH} characters long`,
  );
  check(
    !`${path}/`.startsWith(`/api/${plugin}/`),
    `${at} is relative to the plugin: leave out the leading /api/${plugin}`,
  );
  const prefix = prefixOf({ path });
  const literal = hasWildcards ? readWildcards(prefix, at) : prefix;
  const wildcards = hasWildcards
    ? '* only as a whole segment, such as /entity/*/badge, or a trailing /**, which covers everything below: write the literal segment, or * for all of it'
    : 'a wildcard only as a trailing /**, which covers everything below';
  check(!literal.includes('*'), `${at} may have ${wildcards}`);
  check(
    RULE_PATH.test(literal),
    `${at} may hold only letters, digits and - . _ ~ @ / : write the literal path, without parameters, escapes, query or regular expressions`,
  );
  check(
    path !== '//**',
    `${at} has an empty segment before /**, as a variable without a value leaves it: write the path that is meant, or /** for the whole plugin`,
  );
  check(
    path === '/' || !literal.endsWith('/'),
    `${at} must not end with a slash: write ${path.replace(/\/+(\/\*\*)?$/, '$1') || '/'}`,
  );
  check(
    isUnambiguousPath(literal || '/'),
    `${at} must not have an empty, "." or ".." segment`,
  );
  check(
    !isCookieEndpoint(literal),
    `${at} is where cookies are issued, and no rule can name it: remove the rule`,
  );
  return { plugin, path };
}

/**
 * Checks where a path has `*`: the search for a rule and the reader of the configuration stay plain if it is a whole segment, and
 * a client that chooses the first segment of a path must not choose the rule with it.
 *
 * @returns the path with a literal segment for each `*`
 */
function readWildcards(path: string, configPath: string): string {
  const [, first, ...others] = path.split('/');
  check(
    first !== ANY_SEGMENT && first !== '**',
    `${configPath} must begin with a literal segment, since a client chooses what stands for a wildcard: write for example /entity/*/badge, one rule for each path, or /** for the whole plugin`,
  );
  check(
    !others.includes('**'),
    `${configPath} may have /** only at its end: write * for each single segment`,
  );
  return path.replace(/\/\*(?=\/|$)/g, '/x');
}

export function readMethods(
  value: unknown = ['GET'],
  configPath: string,
): string[] {
  check(
    Array.isArray(value) && value.length > 0,
    `${configPath} must be a list of methods, such as [GET]; leave it out for [GET]`,
  );
  for (const [i, method] of value.entries()) {
    check(
      RULE_METHODS.includes(method),
      `${configPath}[${i}] must be a method that a rule can name, such as GET or POST${typeof method === 'string' ? didYouMean(method, RULE_METHODS) : ''}`,
    );
  }
  return [...new Set<string>(value)];
}

/** Formats the requests that a rule opens, such as `GET /api/catalog/entities/**`. */
export function formatRule(
  rule: Pick<AllowRule, 'plugin' | 'path' | 'methods'>,
): string {
  return `${rule.methods} /api/${rule.plugin}${rule.path}`;
}

/** Formats a rule as an entry of a list in YAML. */
export function yamlOf({ plugin, path, methods }: AllowRule): string {
  return `- { plugin: ${plugin}, path: '${path}', methods: [${methods.join(', ')}] }`;
}
