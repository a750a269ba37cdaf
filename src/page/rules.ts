import { groupBy } from 'lodash';
import { formatRule } from '../config/AllowRule';
import { mapInPieces, Pieces, Result } from '../util/pieces';
import { numberFindings } from './findings';
import { Content, Html, html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import {
  bars,
  code,
  Column,
  counted,
  date,
  section,
  table,
  tag,
  time,
} from './parts';

/** The config path of a rule, with its index. */
const RULE = /^auth\.apiGate\.allow\[(\d+)\]/;

type UsedRule = NonNullable<PolicyReport['usage']>['rules'][number];

/** A rule with all that the report has about it. */
type RuleRow = Result<ReturnType<typeof readRules>>[number];

const COLUMNS: readonly Column<RuleRow>[] = [
  [
    'Opens',
    ({ index, name }) => [
      code(name),
      html`<small>auth.apiGate.allow[${index}]</small>`,
    ],
  ],
  ['Reason', ({ reason }) => reason],
  ['Use in 30 days', ({ use }) => use && formatUse(use)],
  [
    'End',
    ({ ended, until }) =>
      until !== undefined && [time(until), ended && tag('warned', 'ended')],
  ],
  [
    'Requires',
    ({ requires, unmet }) =>
      requires !== undefined && [
        code(requires),
        unmet && tag('warned', 'missing, so closed'),
      ],
  ],
  [
    'Findings',
    ({ own }) =>
      own.map(
        ({ accepted, id, index }) =>
          html`<a
            class="tag ${accepted ? 'closed' : 'open'}"
            href="#finding-${index}"
            >${id}</a
          > `,
      ),
  ],
];

/** Renders each allow rule: its config path, why, who uses it, when it ends, and what is wrong with it. */
export function* renderRules(report: PolicyReport): Pieces<Html> {
  const rows = yield* readRules(report);
  const { allow, usage } = report;
  return section(
    'rules',
    'Rules',
    allow.length === 0
      ? html`<p>No rule opens anything.</p>`
      : yield* table(COLUMNS, rows, ({ index }) => `rule-${index}`),
    usage &&
      html`<p class="muted">
        Use is that of
        ${usage.scope === 'replica' ? 'this process since its start' : 'all replicas of this backend'},
        since
        ${time(usage.since)}${!usage.complete && '; the record is not complete'}.
      </p>`,
  );
}

function formatUse({ byDay, days, lastUsed, requests30d }: UsedRule): Content {
  return lastUsed === null
    ? `none in ${counted(days, 'day')}`
    : [
        bars(byDay),
        counted(requests30d, 'request'),
        html`<small>last ${date(lastUsed)}</small>`,
      ];
}

function* readRules({ allow, findings, usage }: PolicyReport) {
  const byRule = groupBy(
    numberFindings(findings),
    ({ at }) => RULE.exec(at)?.[1],
  );
  return yield* mapInPieces(allow, (rule, index) => ({
    ...rule,
    index,
    name: formatRule(rule),
    own: byRule[index] ?? [],
    use: usage?.rules[index],
  }));
}
