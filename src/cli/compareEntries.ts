import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { differenceWith, isEqual, omit } from 'lodash';
import { AllowRule, formatRule } from '../gate/rules/AllowRule';
import { CONFIG_KEY } from '../settings/read/readApiGateConfig';
import { Expectation, formatExpected } from '../settings/read/readExpectations';
import type { LoadedConfig } from './loadConfig';
import { CHECKED_LISTS, holdsMock } from './mockEnv';

/** Compares what rules require where they open the same requests. A line with `+` is one that opens more. */
export function compareConditions(
  before: readonly AllowRule[],
  after: readonly AllowRule[],
): string[] {
  return after.flatMap((rule, i) => {
    const name = formatRule(rule);
    const former = before.filter(other => formatRule(other) === name);
    return compareRequirements(former, rule).map(
      line => `${line}  ${name}  ${CONFIG_KEY}.allow[${i}]`,
    );
  });
}

function compareRequirements(former: AllowRule[], rule: AllowRule): string[] {
  const required = former.flatMap(({ requires }) => requires ?? []);
  if (former.length === 0 || required.includes(rule.requires ?? '')) {
    return [];
  }
  // The rule was in force without a condition if any of the former ones was.
  if (required.length === former.length) {
    return [`+ no longer requires ${required}`];
  }
  return rule.requires === undefined
    ? []
    : [`- newly requires ${rule.requires}`];
}

/** Compares expectations. A line with + is one that no longer keeps requests closed. */
export function compareExpectations(
  before: readonly Expectation[],
  after: readonly Expectation[],
): string[] {
  return [
    ...differenceWith(before, after, isImplied).map(
      each =>
        `${each.is === 'public' ? '-' : '+'} no longer expected  ${formatExpected(each)} is ${each.is}`,
    ),
    ...differenceWith(after, before, isImplied).map(
      each => `- newly expected  ${formatExpected(each)} is ${each.is}`,
    ),
  ];
}

/** Returns whether an expectation holds wherever another one does: that is the same, or keeps the whole plugin closed. */
function isImplied(expectation: Expectation, by: Expectation): boolean {
  return (
    expectation.is === by.is &&
    expectation.plugin === by.plugin &&
    (by.request === undefined || by.request === expectation.request)
  );
}

/** Finds rules and expectations that hold variables, unless each was there with the same variables: two may have one default. */
export function compareVariables(
  after: LoadedConfig,
  before?: LoadedConfig,
): string[] {
  return CHECKED_LISTS.map(key => `${CONFIG_KEY}.${key}`).flatMap(path => {
    const former = readEntries(path, before);
    return readEntries(path, after).flatMap((entry, i) =>
      holdsMock(entry) && !former.some(other => isEqual(other, entry))
        ? [`+ not known  ${path}[${i}] holds a variable that is not set`]
        : [],
    );
  });
}

/** Reads the entries of a list with made-up values, without their reasons. */
function readEntries(
  path: string,
  { mocked = [] }: Partial<LoadedConfig> = {},
) {
  const list = ConfigReader.fromConfigs(mocked).getOptional<JsonObject[]>(path);
  return (list ?? []).map(entry => omit(entry, 'reason'));
}
