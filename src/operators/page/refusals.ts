import { compact, groupBy, orderBy } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { PolicyReport } from '../reports/describePolicy';
import { formatWorked } from '../reports/describeReportOnly';
import { titleOfWorked } from '../reports/formatPolicyReport';
import { Content, html } from './html';
import {
  code,
  Column,
  counted,
  number,
  preformatted,
  table,
  tag,
  time,
} from './parts';

type Refused = PolicyReport['refusals']['last'][number];

/** Refusals of one request for one reason. */
interface Group {
  last: Refused;
  count: number;
}

const REQUEST: Column<Refused> = [
  'Request',
  ({ method, path, plugin }) =>
    PLUGIN_ID.test(plugin)
      ? code(`${method} /api/${plugin}${path}`)
      : // The ids of these are not kept.
        [code(`${method} /api/…${path}`), ` (${plugin})`],
];

const REASON: Column<Refused> = [
  'Reason',
  ({ detail, outcome, reason }) => [
    reason,
    detail && `, ${detail}`,
    outcome === 'would-refuse' && tag('warned', 'not yet refused'),
  ],
];

const ID: Column<Refused> = [
  'Id',
  ({ id }) => html`<code class="id">${id}</code>`,
];

const GROUPS: readonly Column<Group>[] = [
  ...[REQUEST, REASON].map(([title, cell]): Column<Group> => [
    title,
    ({ last }) => cell(last),
  ]),
  ['Refusals', ({ count }) => number(count)],
  ['Last', ({ last }) => time(last.time)],
  ['Last id', ({ last }) => ID[1](last)],
];

const LAST: readonly Column<Refused>[] = [
  ['Time', refused => time(refused.time)],
  ID,
  REQUEST,
  REASON,
  [
    'Client',
    ({ address, subject, userAgent }) =>
      compact([subject, address, userAgent]).join(', '),
  ],
];

/** Renders the refusals of this process; in report-only, first what has worked and will stop working. */
export function renderRefusals(report: PolicyReport): Content {
  const { last, since } = report.refusals;
  return [
    report.reportOnly && [
      html`<h3>${titleOfWorked(report)}</h3>`,
      renderWorked(report.reportOnly),
    ],
    html`<h3>The last ${counted(last.length, 'refusal')} of this process</h3>`,
    table(GROUPS, groupRefusals(last), html`None since ${time(since)}.`),
    last.length > 0 &&
      html`<details>
        <summary>Each of them</summary>
        ${table(LAST, last)}
      </details>`,
  ];
}

/** Groups refusals, of which the newest is the first, by request and reason. */
function groupRefusals(refusals: readonly Refused[]): Group[] {
  const groups = Object.values(
    groupBy(refusals, ({ detail, method, outcome, path, plugin, reason }) =>
      JSON.stringify([method, plugin, path, reason, detail, outcome]),
    ),
  );
  const counts = groups.map(group => ({ last: group[0], count: group.length }));
  return orderBy(counts, 'count', 'desc');
}

function renderWorked({
  worked,
}: NonNullable<PolicyReport['reportOnly']>): Content {
  return worked.length > 0
    ? preformatted(worked.map(formatWorked))
    : html`<p>No request in 30 days.</p>`;
}
