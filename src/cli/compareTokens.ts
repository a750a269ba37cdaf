import { difference, groupBy, isEqual, map, uniq } from 'lodash';
import { endOf } from '../gate/rules/AllowRule';
import { rulesOf, withDefaults } from '../gate/rules/TokenLimits';
import type { TokenEntry } from '../gate/rules/GateSettings';
import { findOpenings } from '../settings/expectations/findOpenings';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import { asObject } from '../settings/read/values';
import { asList } from '../operators/findings/backstageSettings';
import { withEnd } from '../operators/reports/describePolicy';
import { formatToken } from '../operators/reports/formatPolicyReport';
import { readEntries } from './compareEntries';
import { Compare, compareAll } from './Difference';

/** Compares what external tokens may do by Backstage's own settings. An entry whose token has changed counts as a new one: somebody else may have it. */
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

/** Compares the limits of the external tokens that Backstage accepts after the change. */
export const compareLimits: Compare = (before, after, path) => {
  const { isPossible } = readExternalSubjects(after.root);
  const both = [before, after].flatMap(({ gate }) => gate.tokens);
  const subjects = uniq(both.map(({ subject }) => subject)).filter(isPossible);
  const compare = compareAll(
    ['may more', 'may less'],
    ({ gate: { tokens } }) => {
      // A subject without an entry has what its default says.
      const others = difference(subjects, map(tokens, 'subject'));
      const entries = [...tokens, ...others.map(subject => ({ subject }))];
      const bySubject = groupBy(withDefaults(entries), 'subject');
      return subjects.map(subject => {
        const own = bySubject[subject];
        const texts = own.map(each => formatToken(withEnd(each)));
        return { subject, entries: own, text: texts.join(', ') };
      });
    },
    (one, other) =>
      one.subject === other.subject &&
      isWithinLimit(one.entries, other.entries),
  );
  return compare(before, after, path);
};

/** Returns whether the entries of a subject allow nothing that other ones do not allow as long. */
function isWithinLimit(own: TokenEntry[], others: TokenEntry[]): boolean {
  const [one, other] = [own, others].map(entries => ({
    until: Math.max(...entries.map(endOf)),
    only: Array.isArray(entries[0].only) && entries.flatMap(rulesOf),
  }));
  if (one.until <= Date.now() || (one.only && one.only.length === 0)) {
    return true;
  }
  return one.only && other.only
    ? findOpenings(one.only, other.only).length === 0
    : !other.only && one.until <= other.until;
}
