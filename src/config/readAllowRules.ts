import { METHODS } from 'node:http';
import { AllowRule, isSubtree } from './AllowRule';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import { isCookieEndpoint } from '../http/backstagePaths';
import { check, readList, readObject } from './values';

export const PLUGIN_ID = /^[a-z0-9_-]+$/;

// RFC 3986's unreserved characters, `@` and `/`. The sub-delims and `:` are special in the policies of plugins.
export const RULE_PATH = /^[A-Za-z0-9\-._~@/]*$/;

const MAX_PATH_LENGTH = 1000;

// TRACE echoes a request's credentials, and CONNECT never reaches a router.
const RULE_METHODS = [
  ...METHODS.filter(method => method !== 'TRACE' && method !== 'CONNECT'),
  WEBSOCKET,
];

/**
 * Reads the allow rules. A rule that is in doubt is an error, so that none opens more than it says.
 *
 * @param configPath - for messages, such as `auth.apiGate.allow`
 */
export function readAllowRules(
  value: unknown,
  configPath: string,
): AllowRule[] {
  return readList(
    value,
    configPath,
    'a list of rules, each with a plugin and a path',
    readAllowRule,
  );
}

function readAllowRule(value: unknown, configPath: string): AllowRule {
  const { plugin, path, methods, reason } = readObject(value, configPath, [
    'plugin',
    'path',
    'methods',
    'reason',
  ]);
  check(
    reason === undefined || typeof reason === 'string',
    `${configPath}.reason must be text that says why this is public`,
  );
  const rule: AllowRule = {
    ...readPluginPath(plugin, path, configPath),
    methods: readMethods(methods, `${configPath}.methods`),
    ...(reason !== undefined && { reason }),
  };
  check(
    !rule.methods.includes(WEBSOCKET) || !isSubtree(rule),
    `${configPath}.path must be exact for the method WEBSOCKET: name each handler's path, without /**`,
  );
  return rule;
}

/** Reads a plugin id, and a path below that plugin: exact, or a subtree with a trailing `/**`. */
export function readPluginPath(
  plugin: unknown,
  path: unknown,
  configPath: string,
): { plugin: string; path: string } {
  const id = readPluginId(plugin, configPath);
  return { plugin: id, path: readPath(path, `${configPath}.path`, id) };
}

/** @param configPath - of the object that has the plugin id */
export function readPluginId(value: unknown, configPath: string): string {
  check(
    typeof value === 'string' && PLUGIN_ID.test(value),
    `${configPath}.plugin must be one plugin id in lower case, such as catalog`,
  );
  return value;
}

function readPath(value: unknown, configPath: string, plugin: string): string {
  check(
    typeof value === 'string' && value.startsWith('/'),
    `${configPath} must be text that starts with a slash, relative to the plugin, such as /health`,
  );
  check(
    value.length <= MAX_PATH_LENGTH,
    `${configPath} must be at most ${MAX_PATH_LENGTH} characters long`,
  );
  check(
    !`${value}/`.startsWith(`/api/${plugin}/`),
    `${configPath} is relative to the plugin: leave out the leading /api/${plugin}`,
  );
  const literal = value.endsWith('/**') ? value.slice(0, -3) : value;
  check(
    !literal.includes('*'),
    `${configPath} may have a wildcard only as a trailing /**, which covers everything below`,
  );
  check(
    RULE_PATH.test(literal),
    `${configPath} may hold only letters, digits and - . _ ~ @ / : write the literal path, without parameters, escapes, query or regular expressions`,
  );
  check(
    value !== '//**',
    `${configPath} has an empty segment before /**, as a variable without a value leaves it: write the path that is meant, or /** for the whole plugin`,
  );
  check(
    value === '/' || !literal.endsWith('/'),
    `${configPath} must not end with a slash: write ${value.replace(/\/+(\/\*\*)?$/, '$1') || '/'}`,
  );
  check(
    isUnambiguousPath(literal || '/'),
    `${configPath} must not have an empty, "." or ".." segment`,
  );
  check(
    !isCookieEndpoint(literal),
    `${configPath} is where cookies are issued, and can not be made public: remove the rule`,
  );
  return value;
}

function readMethods(value: unknown = ['GET'], configPath: string): string[] {
  check(
    Array.isArray(value) && value.length > 0,
    `${configPath} must be a list of methods, such as [GET]; leave it out for [GET]`,
  );
  value.forEach((method, i) => {
    const upper = String(method).toUpperCase();
    check(
      RULE_METHODS.includes(method),
      `${configPath}[${i}] must be ${
        RULE_METHODS.includes(upper)
          ? `in upper case: ${upper}`
          : 'a method that can be made public, such as GET or POST'
      }`,
    );
  });
  return [...new Set<string>(value)];
}
