import { difference, isEqual, map, uniq } from 'lodash';
import { endOf } from '../gate/rules/AllowRule';
import { entriesFor, rulesOf } from '../gate/rules/TokenLimits';
import type { TokenEntry } from '../gate/rules/GateSettings';
import { findOpenings } from '../settings/expectations/findOpenings';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import { asObject } from '../settings/read/values';
import { asList } from '../operators/findings/backstageSettings';
import { withEnd } from '../operators/reports/describePolicy';
import { formatLimits } from '../operators/reports/formatPolicyReport';
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

/** The entry that stands for every external token where `auth.apiGate.tokens` is not set. */
const EVERYTHING: TokenEntry = { subject: '*', only: 'all' };

/** Compares what external tokens may do that Backstage accepts after the change. */
export const compareLimits: Compare = (before, after, path) => {
  const { isPossible } = readExternalSubjects(after.root);
  const entriesOf = ({ gate }: typeof before) => gate.tokens ?? [EVERYTHING];
  const named = map([...entriesOf(before), ...entriesOf(after)], 'subject');
  const subjects = uniq(named).filter(
    subject => subject === EVERYTHING.subject || isPossible(subject),
  );
  const compare = compareAll(
    ['may more', 'may less'],
    compared =>
      subjects.map(subject => {
        const entries = entriesFor(subject, entriesOf(compared)).filter(
          ({ only }) => only.length > 0,
        );
        const limits = entries.map(each => formatLimits(withEnd(each)));
        const text = `${subject}: ${limits.join('; ') || 'nothing'}`;
        return { subject, entries, text };
      }),
    (one, other) =>
      one.subject === other.subject &&
      isWithinLimit(one.entries, other.entries),
  );
  return compare(before, after, path);
};

/** Returns whether entries allow nothing that other ones do not allow as long. */
function isWithinLimit(own: TokenEntry[], others: TokenEntry[]): boolean {
  const [one, other] = [own, others].map(entries => ({
    allUntil: Math.max(
      ...entries.map(each => (each.only === 'all' ? endOf(each) : -Infinity)),
    ),
    only: entries.flatMap(rulesOf),
  }));
  const isAllWithin =
    one.allUntil <= Date.now() || one.allUntil <= other.allUntil;
  const ends = one.only.map(endOf);
  return (
    isAllWithin &&
    (Math.max(...ends) <= other.allUntil ||
      findOpenings(one.only, other.only).length === 0)
  );
}
