import { ConfigReader } from '@backstage/config';
import { compact, difference, differenceWith, isEqual, omit } from 'lodash';
import { formatRule } from '../settings/read/readAllowRules';
import { findOpenings, Opening } from '../settings/expectations/findOpenings';
import { CONFIG_KEY, KEYS } from '../settings/read/readApiGateConfig';
import { Expectation, formatExpected } from '../settings/read/readExpectations';
import { asObject } from '../settings/read/values';
import {
  asList,
  createGet,
  NO_BARRIERS,
} from '../operators/findings/backstageSettings';
import type { Compare, Difference } from './Difference';
import type { LoadedConfig } from './loadConfig';
import { CHECKED_LISTS, holdsMock, MODE_KEYS, pathOf } from './mockEnv';

/** The names of lines about requests: if an end differs, and else. */
const KINDS = {
  '+': ['longer', 'public'],
  '-': ['shorter', 'closed'],
};

/** Compares what rules open, and until when. */
export const compareRules: Compare = (before, after, path) => {
  const [old, now] = [before, after].map(({ gate }) => gate.allow);
  return [
    ...findOpenings(now, old).map(opening => {
      const { reason } = opening.rule;
      return {
        ...describeOpening('+', opening),
        at: `${path}[${now.indexOf(opening.rule)}]`,
        note: reason && `"${reason}"`,
      };
    }),
    ...findOpenings(old, now).map(opening => describeOpening('-', opening)),
  ];
};

/** @param sign - `-` for what the old rules open beyond the new ones */
function describeOpening(sign: '+' | '-', opening: Opening): Difference {
  const { otherUntil, until } = opening;
  const [end, other] = KINDS[sign];
  const request = formatRule(opening);
  if (otherUntil !== undefined) {
    const ends = [until, otherUntil].map(formatEnd);
    const [now, before] = sign === '+' ? ends : ends.reverse();
    return { sign, kind: end, text: `${request}  ends ${now}, was ${before}` };
  }
  const own = until === undefined ? '' : `  until ${formatEnd(until)}`;
  return { sign, kind: other, text: `${request}${own}` };
}

function formatEnd(until = Infinity): string {
  return until === Infinity ? 'never' : new Date(until).toISOString();
}

/** Compares expectations. Without an expectation of `closed`, a rule may open the request. */
export const compareExpectations: Compare = (before, after) => {
  const [old, now] = [before, after].map(({ gate }) => gate.expect);
  const textOf = (each: Expectation) => `${formatExpected(each)} is ${each.is}`;
  return [
    ...differenceWith(old, now, isImplied).map((each): Difference => ({
      sign: each.is === 'public' ? '-' : '+',
      kind: 'no longer expected',
      text: textOf(each),
    })),
    ...differenceWith(now, old, isImplied).map((each): Difference => ({
      sign: '-',
      kind: 'newly expected',
      text: textOf(each),
    })),
  ];
};

/** Returns whether an expectation holds wherever another one does: that is the same, or keeps the whole plugin closed. */
function isImplied(expectation: Expectation, by: Expectation): boolean {
  return (
    expectation.is === by.is &&
    expectation.plugin === by.plugin &&
    (by.request === undefined || by.request === expectation.request)
  );
}

/**
 * Finds settings that differ and whose effect depends on a variable that is not set: two variables may have one default. Rules and
 * expectations are compared one by one.
 */
export function findUnknown(before: LoadedConfig, after: LoadedConfig) {
  const others = [
    ...difference(KEYS, [...CHECKED_LISTS, ...MODE_KEYS]).map(pathOf),
    ...['app.baseUrl', 'backend.baseUrl', NO_BARRIERS],
  ].filter(path => {
    const [old, now] = [before, after].map(each => readMocked(path, each));
    // The limits of tokens depend on subjects, and the cookie on the address.
    const isLeftOut = [before, after].some(
      ({ leftOut }) => path.startsWith(CONFIG_KEY) && leftOut.includes(path),
    );
    return (isLeftOut || holdsMock([old, now])) && !isEqual(old, now);
  });
  const entries = CHECKED_LISTS.map(pathOf).flatMap(path => {
    const [old, now] = [before, after].map(each => readEntries(path, each));
    const unknown = differenceWith(now, old, isEqual).filter(holdsMock);
    return unknown.map(entry => `${path}[${now.indexOf(entry)}]`);
  });
  const mode = after.isModeUnknown && `${CONFIG_KEY}.mode or until`;
  return compact([mode, ...others, ...entries]).map((path): Difference => ({
    sign: '+',
    kind: 'not known',
    text: `${path} holds a variable that is not set`,
  }));
}

/** Reads the entries of a list with made-up values, without their reasons. */
export function readEntries(path: string, config: LoadedConfig) {
  return asList(readMocked(path, config)).map(entry =>
    omit(asObject(entry), 'reason'),
  );
}

function readMocked(path: string, { mocked }: LoadedConfig) {
  return createGet(ConfigReader.fromConfigs(mocked))(path);
}
