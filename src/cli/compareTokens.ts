import { difference, isEqual, uniq } from 'lodash';
import { endOf } from '../gate/rules/AllowRule';
import type { TokenEntry } from '../gate/rules/GateSettings';
import { findOpenings } from '../settings/expectations/findOpenings';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import { asObject } from '../settings/read/values';
import { asList } from '../operators/findings/backstageSettings';
import { withEnd } from '../operators/reports/describePolicy';
import { formatToken } from '../operators/reports/formatPolicyReport';
import { readEntries } from './compareEntries';
import { Compare, compareAll } from './Difference';

/** Compares what external tokens may do by Backstage's own settings. An entry with another token is another one: somebody else may have it. */
export const compareExternalAccess = compareAll(
  ['may more', 'may less'],
  config =>
    ['backend.auth.externalAccess', 'backend.auth.keys'].flatMap(path =>
      readEntries(path, config).flatMap((entry, i) =>
        readAccess(entry).map(access => ({ ...access, at: `${path}[${i}]` })),
      ),
    ),
  (access, other) =>
    isEqual(access.token, other.token) &&
    (!other.plugin || access.plugin === other.plugin) &&
    isWithin(access.permissions, other.permissions) &&
    isWithin(access.actions, other.actions),
);

/** Reads what the tokens of an entry may call: what each restriction names, or everything if there is none. */
function readAccess({ accessRestrictions, ...token }: Record<string, unknown>) {
  const { subject = token.type } = asObject(token.options);
  const restrictions = asList(accessRestrictions).map(asObject);
  return (restrictions.length > 0 ? restrictions : [{}]).map(restriction => {
    const { plugin, permission, permissionAttribute } = restriction;
    return {
      token,
      plugin,
      permissions: readNames(permission),
      actions: readNames(asObject(permissionAttribute).action),
      text: `${subject}: ${plugin ? JSON.stringify(restriction) : 'every plugin'}`,
    };
  });
}

/** Reads a list, or a text with commas or spaces, as Backstage does. Without a name, all are meant. */
function readNames(value: unknown = []): string[] | undefined {
  const names = [value].flat().join(' ').split(/[ ,]/).filter(Boolean);
  return names.length > 0 ? names : undefined;
}

function isWithin(names?: string[], others?: string[]): boolean {
  return !others || (!!names && difference(names, others).length === 0);
}

/** Compares the limits of the external tokens that Backstage accepts after the change. A subject without an entry has no limit. */
export const compareLimits: Compare = (before, after, path) => {
  const { isPossible } = readExternalSubjects(after.root);
  const both = [before, after].flatMap(({ gate }) => gate.tokens);
  const subjects = uniq(both.map(({ subject }) => subject)).filter(isPossible);
  const compare = compareAll(
    ['may more', 'may less'],
    ({ gate }) =>
      subjects.map(subject => {
        const entries = gate.tokens.filter(each => each.subject === subject);
        const texts = entries.map(each => formatToken(withEnd(each)));
        return {
          subject,
          entries,
          text: texts.join(', ') || `${subject}: no only`,
        };
      }),
    (one, other) =>
      one.subject === other.subject &&
      isWithinLimit(one.entries, other.entries),
  );
  return compare(before, after, path);
};

/** Returns whether the entries of a subject allow nothing that other ones do not allow as long. */
function isWithinLimit(own: TokenEntry[], others: TokenEntry[]): boolean {
  const [one, other] = [own, others].map(entries => ({
    until: Math.max(...(entries.length > 0 ? entries.map(endOf) : [Infinity])),
    only:
      entries[0]?.only &&
      entries.flatMap(({ only = [], until }) =>
        only.map(rule => ({ ...rule, until })),
      ),
  }));
  if (one.until <= Date.now()) {
    return true;
  }
  return one.only && other.only
    ? findOpenings(one.only, other.only).length === 0
    : !other.only && one.until <= other.until;
}
