import fs from 'node:fs';
import path from 'node:path';

/** A value for `auth.apiGate.allow`, or one rule of it, and the expected result. */
export interface AllowRuleRow {
  rule: unknown;
  expect: 'accept' | 'warn' | 'reject';
  why: string;
}

const file = [
  path.resolve(__dirname, '../../../../shared/allowlist-rules.json'),
  path.resolve(__dirname, 'allowlist-rules.json'),
].find(candidate => fs.existsSync(candidate))!;
const rows: AllowRuleRow[] = JSON.parse(
  fs.readFileSync(file, 'utf8'),
  (_, value) =>
    typeof value?.times === 'number' ? value.repeat.repeat(value.times) : value,
);

export const rejected = rows.filter(row => row.expect === 'reject');
export const taken = rows.filter(row => row.expect !== 'reject');

/** Returns the value of `auth.apiGate.allow` for a row. */
export function allowOf({ rule }: AllowRuleRow): unknown {
  return rule === null || typeof rule === 'string' || Array.isArray(rule)
    ? rule
    : [rule];
}

/** Returns the title of a row's test. */
export function nameOf(row: AllowRuleRow): string {
  return `${JSON.stringify(row.rule)?.slice(0, 80)}: ${row.why}`;
}
