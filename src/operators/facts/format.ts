import { compact } from 'lodash';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { isObject } from '../../settings/read/values';

/** Formats a request below a plugin. `any` stands for all methods. */
export function formatRequest(
  method: string,
  plugin: string,
  path: string,
): string {
  return `${method.padEnd(4)}  /api/${plugin}${path}`;
}

/** Formats the requests of a rule, one for each method. `GET` has `HEAD` in it. */
export function formatRequests(rule: AllowRule): string[] {
  const { methods, path, plugin } = rule;
  return methods
    .filter(method => method !== 'HEAD' || !methods.includes('GET'))
    .map(method => formatRequest(method, plugin, path));
}

/** Formats an end as an instant in UTC; `undefined` for none. */
export function formatUntil(
  until: Date | number | undefined,
): string | undefined {
  return until === undefined ? undefined : new Date(until).toISOString();
}

/** Joins the parts of a text that are there. */
export function join(parts: unknown[]): string {
  return compact(parts).join(', ');
}

/** Formats a value of the configuration on one line, without what may be a secret of a URL: its user, its password and its query. */
export function formatValue(value: unknown): string {
  if (Array.isArray(value)) {
    return value.map(formatValue).join(',');
  }
  if (isObject(value)) {
    return Object.entries(value)
      .sort()
      .map(([key, each]) => `${key} ${formatValue(each)}`)
      .join(', ');
  }
  return String(value)
    .replace(/\/\/[^/@]*@/, '//')
    .replace(/(:\/\/[^?#]*)[?#].*/s, '$1');
}

/** Returns a config path without the indices of lists, which change with each entry that is added before. */
export function withoutIndices(configPath: string): string {
  return configPath.replace(/\[\d+\]/g, '');
}
