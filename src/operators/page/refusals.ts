import { groupBy, map, orderBy, sumBy } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { PolicyReport } from '../reports/describePolicy';
import { formatWorked } from '../reports/describeReportOnly';
import { titleOfWorked } from '../reports/formatPolicyReport';
import { atOnce, Pieces } from '../pieces';
import { Content, Html, html } from './html';
import {
  code,
  Column,
  counted,
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
    ({ address, subject }) => [subject, subject && address && ', ', address],
  ],
];

/**
 * Renders the refusals of this process; in report-only, first what has worked and will stop working.
 *
 * @param find - the form of {@link renderFind}
 */
export function* renderRefusals(
  report: PolicyReport,
  find: Html,
): Pieces<Html> {
  const { refusals, reportOnly } = report;
  const { last } = refusals;
  return section(
    'refusals',
    'Refusals',
    reportOnly && renderWorked(reportOnly),
    yield* renderHour(refusals),
    find,
    last.length > 0 && [
      html`<h3>
        The last ${counted(last.length, 'refusal')} of this process
      </h3>`,
      yield* table(LAST, last),
    ],
  );
}

/** Renders the form for the id of a refusal, and the refusal if an id was asked for. */
export function renderFind(
  { last }: PolicyReport['refusals'],
  id: string,
): Content {
  const found = last.filter(refused => refused.id === id);
  return [
    html`<form method="get" action="#refusals">
      <label
        >Id of a refusal<input
          name="id"
          value="${id}"
          maxlength="64"
          autocomplete="off"
          spellcheck="false" /></label
      ><button>Find</button>
    </form>`,
    found.length > 0 && atOnce(table(LAST, found)),
    id !== '' &&
      found.length === 0 &&
      note(
        'warned',
        `No refusal with the id ${id} is among the last ${last.length} of this process: the log has it.`,
      ),
  ];
}

function renderWorked(
  reportOnly: NonNullable<PolicyReport['reportOnly']>,
): Html {
  const { worked } = reportOnly;
  const none = worked
    ? 'No request in 30 days.'
    : 'Operators see the requests.';
  return html`<h3>${titleOfWorked(reportOnly)}</h3>
    ${worked?.length ? preformatted(worked.map(formatWorked)) : html`<p>${none}</p>`}`;
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
