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
  Late,
  note,
  number,
  preformatted,
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
export function* renderRefusals(report: PolicyReport): Pieces<Late> {
  const { last } = report.refusals;
  const worked = renderWorked(report);
  const hour = yield* renderHour(report.refusals);
  const shown = yield* table(LAST, last);
  const title = html`<h3>
    The last ${counted(last.length, 'refusal')} of this process
  </h3>`;
  return asked => [
    report.reportOnly && [
      html`<h3>${titleOfWorked(report)}</h3>`,
      worked(asked),
    ],
    html`<h3>The last hour</h3>`,
    hour(asked),
    renderFind(asked),
    last.length > 0 && [title, shown(asked)],
  ];
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

function renderWorked({ reportOnly }: PolicyReport): Late {
  const { worked } = reportOnly ?? {};
  const lines = worked?.map(each => html`${formatWorked(each)}`) ?? [];
  return filtered(
    lines,
    preformatted,
    worked ? 'No request in 30 days.' : 'Operators see the requests.',
  );
}

function renderHour(refusals: PolicyReport['refusals']): Pieces<Late> {
  const { minutes, since } = refusals;
  const counts = minutes.flatMap(({ reasons }) => Object.entries(reasons));
  const rows = map(groupBy(counts, 0), (ofReason, reason) => ({
    reason,
    requests: sumBy(ofReason, ([, requests]) => requests),
  }));
  const sorted = orderBy(rows, 'requests', 'desc');
  return table(HOUR, sorted, html`None since ${time(since)}.`);
}
