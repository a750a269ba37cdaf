import { METHODS } from 'node:http';
import { InputError } from '@backstage/errors';
import type { AllowRule } from './AllowRule';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import { isCookieEndpoint } from '../http/backstagePaths';
import { readObject } from './values';

const RULE_KEYS = ['plugin', 'path', 'methods', 'reason'];

const PLUGIN_ID = /^[a-z0-9_-]+$/;

// RFC 3986's unreserved characters, `@` and `/`. The sub-delims and `:` are special in the policies of plugins.
export const RULE_PATH = /^[A-Za-z0-9\-._~@/]*$/;

const MAX_PATH_LENGTH = 1000;

const SAFE_METHODS = ['GET', 'HEAD', 'OPTIONS', WEBSOCKET];

// TRACE echoes a request's credentials, and CONNECT never reaches a router.
const RULE_METHODS = [
  ...METHODS.filter(method => method !== 'TRACE' && method !== 'CONNECT'),
  WEBSOCKET,
];

/**
 * Reads the allow rules. A rule that is in doubt is an error, so that none opens more than it says.
 *
 * @param configPath - for messages, such as `auth.apiGate.allow`
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readAllowRules(
  value: unknown,
  configPath: string,
): { rules: AllowRule[]; warnings: string[] } {
  if (value === undefined || value === null) {
    return { rules: [], warnings: [] };
  }
  if (!Array.isArray(value)) {
    throw new InputError(
      `${configPath} must be a list of rules, each with a plugin and a path`,
    );
  }
  const warnings: string[] = [];
  const seen = new Set<string>();
  const rules = value.map((item, i) => {
    const path = `${configPath}[${i}]`;
    const { rule, warnings: ofRule } = readAllowRule(item, path);
    warnings.push(...ofRule);
    for (const method of rule.methods) {
      const route = `${method} ${rule.plugin}${rule.path}`;
      if (seen.has(route)) {
        warnings.push(
          `${path} repeats an earlier rule for ${method}: remove it`,
        );
      }
      seen.add(route);
    }
    return rule;
  });
  return { rules, warnings };
}

function readAllowRule(
  value: unknown,
  configPath: string,
): { rule: AllowRule; warnings: string[] } {
  const { plugin, path, methods, reason } = readObject(value, {
    path: configPath,
    keys: RULE_KEYS,
  });
  if (reason !== undefined && typeof reason !== 'string') {
    throw new InputError(
      `${configPath}.reason must be text that says why this is public`,
    );
  }
  const rule: AllowRule = {
    ...readPluginPath(plugin, path, configPath),
    methods: readMethods(methods, `${configPath}.methods`),
    ...(reason !== undefined && { reason }),
  };
  if (rule.methods.includes(WEBSOCKET) && rule.path.endsWith('/**')) {
    throw new InputError(
      `${configPath}.path must be exact for the method WEBSOCKET: name each handler's path, without /**`,
    );
  }
  return { rule, warnings: doubts(rule, methods, configPath) };
}

/**
 * Reads a plugin id, and a path below that plugin: exact, or a subtree with a trailing `/**`.
 *
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readPluginPath(
  plugin: unknown,
  path: unknown,
  configPath: string,
): { plugin: string; path: string } {
  if (typeof plugin !== 'string' || !PLUGIN_ID.test(plugin)) {
    throw new InputError(
      `${configPath}.plugin must be one plugin id in lower case, such as catalog`,
    );
  }
  return { plugin, path: readPath(path, `${configPath}.path`, plugin) };
}

function readPath(value: unknown, configPath: string, plugin: string): string {
  const fail = (instead: string): never => {
    throw new InputError(`${configPath} ${instead}`);
  };
  if (typeof value !== 'string' || !value.startsWith('/')) {
    return fail(
      'must be text that starts with a slash, relative to the plugin, such as /health',
    );
  }
  if (value.length > MAX_PATH_LENGTH) {
    return fail(`must be at most ${MAX_PATH_LENGTH} characters long`);
  }
  if (value === `/api/${plugin}` || value.startsWith(`/api/${plugin}/`)) {
    return fail(
      `is relative to the plugin: leave out the leading /api/${plugin}`,
    );
  }
  const literal = value.endsWith('/**') ? value.slice(0, -3) : value;
  if (literal.includes('*')) {
    return fail(
      'may have a wildcard only as a trailing /**, which covers everything below',
    );
  }
  if (!RULE_PATH.test(literal)) {
    return fail(
      'may hold only letters, digits and - . _ ~ @ / : write the literal path, without parameters, escapes, query or regular expressions',
    );
  }
  if (value === '//**') {
    return fail(
      'has an empty segment before /**, as a variable without a value leaves it: write the path that is meant, or /** for the whole plugin',
    );
  }
  if (value !== '/' && literal.endsWith('/')) {
    return fail(
      `must not end with a slash: write ${value.replace(/\/+(\/\*\*)?$/, '$1') || '/'}`,
    );
  }
  if (!isUnambiguousPath(literal || '/')) {
    return fail('must not have an empty, "." or ".." segment');
  }
  if (isCookieEndpoint(literal)) {
    return fail(
      'is where cookies are issued, and can not be made public: remove the rule',
    );
  }
  return value;
}

function readMethods(value: unknown, configPath: string): string[] {
  if (value === undefined) {
    return ['GET'];
  }
  if (!Array.isArray(value) || value.length === 0) {
    throw new InputError(
      `${configPath} must be a list of methods, such as [GET]; leave it out for [GET]`,
    );
  }
  value.forEach((method, i) => {
    if (!RULE_METHODS.includes(method)) {
      const upper = String(method).toUpperCase();
      throw new InputError(
        `${configPath}[${i}] must be ${
          RULE_METHODS.includes(upper)
            ? `in upper case: ${upper}`
            : 'a method that can be made public, such as GET or POST'
        }`,
      );
    }
  });
  return [...new Set<string>(value)];
}

/** What a rule may well mean, but an operator should see at start. */
function doubts(rule: AllowRule, methods: unknown, configPath: string) {
  const warnings: string[] = [];
  if (rule.path === '/**') {
    warnings.push(
      `${configPath} makes the whole plugin ${rule.plugin} public for ${rule.methods}. If a variable stands before its /**, that variable is empty`,
    );
  }
  if (rule.path === '/') {
    warnings.push(
      `${configPath} makes only the root of the plugin ${rule.plugin} public; /** stands for everything in it`,
    );
  }
  if (Array.isArray(methods) && methods.length !== rule.methods.length) {
    warnings.push(`${configPath}.methods repeats a method`);
  }
  const unsafe = rule.methods.filter(method => !SAFE_METHODS.includes(method));
  if (unsafe.length > 0) {
    warnings.push(
      `${configPath} makes ${unsafe} of ${rule.path} of the plugin ${rule.plugin} public: its handler must check who calls`,
    );
  }
  return warnings;
}
