import { compact, groupBy, map, orderBy, sumBy } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { PolicyReport } from '../reports/describePolicy';
import { formatWorked } from '../reports/describeReportOnly';
import { titleOfWorked } from '../reports/formatPolicyReport';
import type { Pieces } from '../pieces';
import { Content, html } from './html';
import {
  code,
  Columns,
  counted,
  filtered,
  form,
  note,
  number,
  preformatted,
  table,
  tag,
  time,
  View,
} from './parts';

type Refused = PolicyReport['refusals']['last'][number];

const HOUR: Columns<{ reason: string; requests: number }> = {
  Reason: ({ reason }) => code(reason),
  Requests: ({ requests }) => number(requests),
};

const LAST: Columns<Refused> = {
  Time: refused => time(refused.time),
  Id: ({ id }) => html`<code class="id">${id}</code>`,
  Request: ({ method, path, plugin }) =>
    PLUGIN_ID.test(plugin)
      ? code(`${method} /api/${plugin}${path}`)
      : // The ids of these are not kept.
        [code(`${method} /api/…${path}`), ` (${plugin})`],
  Reason: ({ detail, outcome, reason, rule }) => [
    reason,
    detail && `, ${detail}`,
    rule && [', ', code(rule)],
    outcome === 'would-refuse' && tag('warned', 'not yet refused'),
  ],
  Client: ({ address, subject, userAgent }) =>
    compact([subject, address, userAgent]).join(', '),
};

/** Renders the refusals of this process, after what will stop working in report-only; or the refusal alone whose id was asked for. */
export function* renderRefusals(view: View): Pieces<Content> {
  const { filter, id, report } = view;
  const { last, minutes, since } = report.refusals;
  const { worked } = report.reportOnly ?? {};
  const find = form('refusals', 'Find', view, 'id');
  if (id !== '') {
    const found = last.filter(refused => refused.id === id);
    const none = `No refusal with the id ${id} is among the last ${last.length} of this process: the log has it.`;
    return [
      find,
      found.length > 0 ? yield* table(LAST, found, '') : note('warned', none),
    ];
  }
  const counts = countByReason(minutes);
  const none = html`None since ${time(since)}.`;
  return [
    report.reportOnly && [
      html`<h3>${titleOfWorked(report)}</h3>`,
      yield* filtered(
        worked ?? [],
        filter,
        formatWorked,
        worked ? 'No request in 30 days.' : 'Operators see the requests.',
        preformatted,
      ),
    ],
    html`<h3>The last hour</h3>`,
    yield* table(HOUR, counts, filter, none),
    find,
    last.length > 0 && [
      html`<h3>
        The last ${counted(last.length, 'refusal')} of this process
      </h3>`,
      yield* table(LAST, last, filter),
    ],
  ];
}

/** Adds up the refusals for each reason, the most frequent one first. */
function countByReason(minutes: PolicyReport['refusals']['minutes']) {
  const counts = minutes.flatMap(({ reasons }) => Object.entries(reasons));
  const rows = map(groupBy(counts, 0), (ofReason, reason) => ({
    reason,
    requests: sumBy(ofReason, ([, requests]) => requests),
  }));
  return orderBy(rows, 'requests', 'desc');
}
