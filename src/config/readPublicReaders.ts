import type { Config } from '@backstage/config';
import { AllowRule, isSubtree, segmentsOf } from './AllowRule';
import { readEntries } from './readExternalTokens';
import { asObject, check } from './values';

/** Plugins that act for their callers, sign them in, or serve the frontend. */
const NEVER_READ = ['app', 'auth', 'mcp-actions', 'proxy', 'scaffolder'];

/**
 * Checks the rules with `as`, whose handlers get the credentials of an external token.
 *
 * @param path - of the list of rules in the configuration
 * @throws InputError unless such a rule only reads, and its token may do nothing else
 */
export function checkPublicReaders(
  allow: readonly AllowRule[],
  path: string,
  rootConfig: Config,
): void {
  allow.forEach((rule, i) => {
    if (rule.as === undefined) {
      return;
    }
    const at = `${path}[${i}]`;
    check(
      rule.methods.every(method => method === 'GET' || method === 'HEAD'),
      `${at}.methods must be GET or HEAD beside as: what a public reader opens must change nothing`,
    );
    check(
      !NEVER_READ.includes(rule.plugin),
      `${at}.as is not for the plugin ${rule.plugin}, which acts for its callers: remove as`,
    );
    check(
      !isSubtree(rule) || segmentsOf(rule).length > 0,
      `${at}.path must name what is read beside as, such as /entities/by-query, and not the whole plugin`,
    );
    checkEntry(findEntries(rootConfig, rule.as), rule, at);
  });
}

/** Identifies a rule by what a handler reads with its `as`. */
export function readerKeyOf({ as, path, plugin }: AllowRule): string {
  return `${plugin} ${path} ${as}`;
}

/** Returns the config paths of `as` in rules that read only after a restart, since there was no such rule at the start. */
export function findAddedReaders(
  allow: readonly AllowRule[],
  atStart: readonly AllowRule[],
): string[] {
  const keys = new Set(atStart.map(readerKeyOf));
  return allow.flatMap((rule, i) =>
    rule.as === undefined || keys.has(readerKeyOf(rule))
      ? []
      : `auth.apiGate.allow[${i}].as`,
  );
}

/** Returns the token of a subject; `undefined` if the configuration has none. */
export function readReaderToken(
  rootConfig: Config,
  subject: string,
): string | undefined {
  const token = asObject(findEntries(rootConfig, subject)[0]?.options).token;
  return typeof token === 'string' ? token : undefined;
}

function findEntries(rootConfig: Config, subject: string) {
  return readEntries(rootConfig).filter(
    ({ options }) => asObject(options).subject === subject,
  );
}

function checkEntry(
  entries: Record<string, unknown>[],
  { as, plugin }: AllowRule,
  at: string,
): void {
  const [entry] = entries;
  check(
    entries.length === 1 && entry.type === 'static',
    `${at}.as must be the subject of exactly one entry of backend.auth.externalAccess, of the type static; ${entries.length} have ${as}`,
  );
  const restrictions = entry.accessRestrictions;
  const [restriction, ...others] = Array.isArray(restrictions)
    ? restrictions.map(asObject)
    : [{}];
  const { action } = asObject(restriction?.permissionAttribute);
  check(
    others.length === 0 &&
      restriction?.plugin === plugin &&
      Object.keys(restriction).length === 2 &&
      [action].flat().join() === 'read',
    `${at}.as names the token of ${as}, which must be restricted to reading this plugin: accessRestrictions: [{ plugin: ${plugin}, permissionAttribute: { action: [read] } }]`,
  );
}
