import { attempt, isError } from 'lodash';
import type { DeclaredPolicy } from '../gate/plugins/DeclaredPolicies';
import { ANY_SEGMENT } from '../gate/rules/AllowRule';
import { readPluginPath } from './read/readAllowRules';

/** A policy that a plugin has declared, as reports have it: with the paths of the allow rules that open the same. */
export type DeclaredOpening = ReturnType<typeof asRules>;

/** Writes a policy with the paths of allow rules in place of its own path. */
export function asRules(policy: DeclaredPolicy) {
  const { plugin, allow, isWebSocket } = policy;
  return { plugin, paths: pathsOfRules(policy), allow, isWebSocket };
}

/** Returns the paths of the allow rules that open the same as a policy. The rule `/a/**` opens what is below `/a`, and not `/a`. */
export function pathsOfRules({
  isWebSocket,
  path,
}: Pick<DeclaredPolicy, 'isWebSocket' | 'path'>): string[] {
  if (isWebSocket) {
    return [path];
  }
  // Backstage reads `*` as the whole plugin, and a parameter as one segment of any text.
  const prefix = path.replace(/^[*/]$/, '').replace(/:[\w$]+/g, ANY_SEGMENT);
  return prefix === '' ? ['/**'] : [prefix, `${prefix}/**`];
}

/** Formats the paths, and says if no rule can have them, such as those that begin with a parameter. */
export function formatPaths({
  isWebSocket,
  paths,
}: Pick<DeclaredOpening, 'isWebSocket' | 'paths'>): string {
  const isRule = (path: string) =>
    !isError(
      attempt(readPluginPath, { plugin: 'any', path }, '', !isWebSocket),
    );
  return `${paths.join(' and ')}${paths.every(isRule) ? '' : ' (no rule can be written so)'}`;
}
