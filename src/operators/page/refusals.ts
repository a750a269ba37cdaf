import { compact } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { PolicyReport } from '../reports/createPolicyReport';
import { formatWorked, titleOfWorked } from '../reports/describeReportOnly';
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
type Counted = PolicyReport['refusals']['counts'][number];

const COUNTS: readonly Column<Counted>[] = [
  [
    'Request',
    ({ method, path = '/…', plugin }) => nameOf(method, path, plugin),
  ],
  ['Reason', renderReason],
  ['Refusals', ({ requests }) => number(requests)],
  ['Answer', ({ answer, status }) => [answer, status && ` (${status})`]],
  ['Last', ({ lastSeen }) => time(lastSeen)],
  ['Last id', ({ lastId }) => renderId(lastId)],
];

const LAST: readonly Column<Refused>[] = [
  ['Time', refused => time(refused.time)],
  ['Id', ({ id }) => renderId(id)],
  ['Request', ({ method, path, plugin }) => nameOf(method, path, plugin)],
  ['Reason', renderReason],
  [
    'Client',
    ({ address, subject, userAgent }) =>
      compact([subject, address, userAgent]).join(', '),
  ],
];

/** Renders the refusals of this process; in report-only, first what has worked and will stop working. */
export function renderRefusals(report: PolicyReport): Content {
  const { counts, last, since } = report.refusals;
  return [
    report.reportOnly && [
      html`<h3>${titleOfWorked(report)}</h3>`,
      renderWorked(report.reportOnly),
    ],
    counts.length > 0
      ? table(COUNTS, counts, [
          'By path and reason, by this process since ',
          time(since),
        ])
      : html`<p>None by this process since ${time(since)}.</p>`,
    last.length > 0 &&
      html`<details>
        <summary>The last ${counted(last.length, 'refusal')}</summary>
        ${table(LAST, last, 'One by one, the newest first')}
      </details>`,
  ];
}

function renderWorked({
  worked,
}: NonNullable<PolicyReport['reportOnly']>): Content {
  return worked.length > 0
    ? preformatted(worked.map(formatWorked))
    : html`<p>No request.</p>`;
}

function nameOf(method: string, path: string, plugin: string): Content {
  return PLUGIN_ID.test(plugin)
    ? code(`${method} /api/${plugin}${path}`)
    : // The ids of these are not kept.
      [code(`${method} /api/…${path}`), ` (${plugin})`];
}

function renderReason({
  detail,
  outcome,
  reason,
}: Pick<Counted, 'detail' | 'outcome' | 'reason'>): Content {
  return [
    reason,
    detail && `, ${detail}`,
    outcome === 'would-refuse' && tag('warned', 'not yet refused'),
  ];
}

function renderId(id: string): Content {
  return html`<code class="id">${id}</code>`;
}
