import { compact, groupBy, map, orderBy, sumBy } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { PolicyReport } from '../reports/describePolicy';
import { formatWorked } from '../reports/describeReportOnly';
import { titleOfWorked } from '../reports/formatPolicyReport';
import { atOnce, Pieces } from '../pieces';
import { Html, html } from './html';
import type { Asked } from './renderPage';
import {
  code,
  Column,
  counted,
  filtered,
  form,
  note,
  number,
  preformatted,
  section,
  table,
  tag,
  time,
} from './parts';

type Refused = PolicyReport['refusals']['last'][number];

const HOUR: readonly Column<{ reason: string; requests: number }>[] = [
  ['Reason', ({ reason }) => code(reason)],
  ['Requests', ({ requests }) => number(requests)],
];

const LAST: readonly Column<Refused>[] = [
  ['Time', refused => time(refused.time)],
  ['Id', ({ id }) => html`<code class="id">${id}</code>`],
  [
    'Request',
    ({ method, path, plugin }) =>
      PLUGIN_ID.test(plugin)
        ? code(`${method} /api/${plugin}${path}`)
        : // The ids of these are not kept.
          [code(`${method} /api/…${path}`), ` (${plugin})`],
  ],
  [
    'Reason',
    ({ detail, outcome, reason, rule }) => [
      reason,
      detail && `, ${detail}`,
      rule && [', ', code(rule)],
      outcome === 'would-refuse' && tag('warned', 'not yet refused'),
    ],
  ],
  [
    'Client',
    ({ address, subject, userAgent }) =>
      compact([subject, address, userAgent]).join(', '),
  ],
];

/** Renders the refusals of this process; in report-only, first what has worked and will stop working. */
export function* renderRefusals(report: PolicyReport): Pieces<Html> {
  const { last } = report.refusals;
  return section(
    'refusals',
    report.reportOnly && renderWorked(report),
    yield* renderHour(report.refusals),
    renderFind,
    last.length > 0 && [
      html`<h3>
        The last ${counted(last.length, 'refusal')} of this process
      </h3>`,
      yield* table(LAST, last),
    ],
  );
}

/** Renders the form for the id of a refusal, and the refusal if an id was asked for. */
function renderFind(asked: Asked): Html {
  const { id, process } = asked;
  const { last } = process.refusals;
  const found = last.filter(refused => refused.id === id);
  const missing =
    id !== '' &&
    note(
      'warned',
      `No refusal with the id ${id} is among the last ${last.length} of this process: the log has it.`,
    );
  return html`${form('refusals', 'Find', asked, 'id')}
  ${found.length > 0 ? atOnce(table(LAST, found))({ ...asked, filter: '' }) : missing}`;
}

function renderWorked(report: PolicyReport): Html {
  const { worked } = report.reportOnly ?? {};
  const none = worked
    ? 'No request in 30 days.'
    : 'Operators see the requests.';
  const lines = worked?.map(each => html`${formatWorked(each)}`) ?? [];
  return html`<h3>${titleOfWorked(report)}</h3>
    ${lines.length > 0 ? filtered(lines, preformatted) : html`<p>${none}</p>`}`;
}

function* renderHour({
  minutes,
  since,
}: PolicyReport['refusals']): Pieces<Html> {
  const counts = minutes.flatMap(({ reasons }) => Object.entries(reasons));
  const rows = map(groupBy(counts, 0), (ofReason, reason) => ({
    reason,
    requests: sumBy(ofReason, ([, requests]) => requests),
  }));
  return html`<h3>The last hour</h3>
    ${rows.length > 0 ? yield* table(HOUR, orderBy(rows, 'requests', 'desc')) : html`<p>None since ${time(since)}.</p>`}`;
}
