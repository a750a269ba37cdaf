import { difference, isEqual, uniq } from 'lodash';
import { endOf } from '../gate/rules/AllowRule';
import type { TokenEntry } from '../gate/rules/GateSettings';
import { findOpenings } from '../settings/expectations/findOpenings';
import { readExternalSubjects } from '../settings/read/readExternalTokens';
import { asObject } from '../settings/read/values';
import { asList } from '../operators/findings/backstageSettings';
import { describeOpening, formatEnd, readEntries } from './compareEntries';
import { Compare, compareAll, Difference } from './Difference';

/** Compares what external tokens may do by Backstage's own settings. An entry with another token is another one: somebody else may have it. */
export const compareExternalAccess = compareAll(
  'may call',
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
export const compareLimits: Compare = (before, after, at) => {
  const { isPossible } = readExternalSubjects(after.root);
  const both = [before, after].map(({ gate }) => gate.tokens);
  const subjects = uniq(both.flat().map(({ subject }) => subject));
  return subjects.filter(isPossible).flatMap(subject => {
    const [old, now] = both.map(entries =>
      entries.filter(entry => entry.subject === subject),
    );
    const line =
      (sign: '+' | '-') =>
      (text: string): Difference => ({
        sign,
        kind: sign === '+' ? 'may more' : 'may less',
        text: `${subject}: ${text}`,
        at,
      });
    return [
      ...findExcess(now, old, '+').map(line('+')),
      ...findExcess(old, now, '-').map(line('-')),
    ];
  });
};

/** Finds what the entries of a subject allow beyond others. Without an entry, or without `only`, they allow everything. */
function findExcess(
  own: TokenEntry[],
  others: TokenEntry[],
  sign: '+' | '-',
): string[] {
  const [end, otherEnd] = [own, others].map(entries =>
    entries.length > 0 ? Math.max(...entries.map(endOf)) : Infinity,
  );
  const [only, otherOnly] = [own, others].map(
    entries =>
      entries[0]?.only &&
      entries.flatMap(({ only: rules = [], until }) =>
        rules.map(rule => ({ ...rule, until })),
      ),
  );
  if (end <= Date.now()) {
    return [];
  }
  if (only && otherOnly) {
    return findOpenings(only, otherOnly).map(
      opening => describeOpening(sign, opening).text,
    );
  }
  if (otherOnly) {
    return [sign === '+' ? 'no only' : 'only'];
  }
  const now = sign === '+' ? end : otherEnd;
  return end > otherEnd ? [`until ${formatEnd(now)}`] : [];
}
