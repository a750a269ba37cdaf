import { AllowRule, formatRule } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';

/**
 * Compares what rules require, and as whom handlers read, where rules open the same requests. A line with `+` is one that shows or
 * opens more.
 */
export function compareConditions(
  before: readonly AllowRule[],
  after: readonly AllowRule[],
): string[] {
  return after.flatMap((rule, i) => {
    const former = before.filter(
      other => formatRule(other) === formatRule(rule),
    );
    return [
      ...compareRequirements(former, rule),
      ...compareReaders(former, rule),
    ].map(line => `${line}  ${formatRule(rule)}  ${CONFIG_KEY}.allow[${i}]`);
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

function compareReaders(former: AllowRule[], rule: AllowRule): string[] {
  const readers = former.flatMap(({ as }) => as ?? []);
  if (rule.as !== undefined) {
    return readers.includes(rule.as) ? [] : [`+ reads as ${rule.as}`];
  }
  return readers.map(reader => `- no longer reads as ${reader}`);
}
