import { keyBy, orderBy, range, sum, uniq } from 'lodash';
import { PLUGIN_ID } from '../config/AllowRule';
import type { WorkedRequests } from '../observability/describeReportOnly';
import { atOnce, Pieces } from '../util/pieces';
import { Content, Html, html } from './html';
import type { PolicyReport } from '../observability/describePolicy';
import {
  bars,
  code,
  Column,
  counted,
  date,
  note,
  number,
  section,
  table,
  tag,
  time,
} from './parts';

type ReportOnly = NonNullable<PolicyReport['reportOnly']>;

type Refused = PolicyReport['refusals']['last'][number];

/** The refusals for one reason: one number for each minute of the last hour, the present one last. */
interface Hour {
  reason: string;
  counts: number[];
}

/** Formats a request to an installed plugin, or to one of those whose ids are not kept. */
function formatRequest({
  method,
  path = '/…',
  plugin,
}: Pick<WorkedRequests, 'method' | 'path' | 'plugin'>): Content {
  return PLUGIN_ID.test(plugin)
    ? code(`${method} /api/${plugin}${path}`)
    : [code(`${method} /api/…${path}`), ` (${plugin})`];
}

const WORKED: readonly Column<WorkedRequests>[] = [
  ['Request', formatRequest],
  ['Requests', ({ requests }) => number(requests)],
  [
    'Seen',
    ({ firstSeen, lastSeen }) =>
      firstSeen === lastSeen
        ? date(lastSeen)
        : [date(firstSeen), ' to ', date(lastSeen)],
  ],
  ['Answered', ({ status }) => status],
  [
    'To keep it public',
    ({ isExpectedClosed, why, yaml }) => [
      isExpectedClosed && 'nothing: auth.apiGate.expect has it as closed',
      why,
      yaml !== undefined && code(yaml),
    ],
  ],
];

const HOUR: readonly Column<Hour>[] = [
  ['Reason', ({ reason }) => code(reason)],
  ['Requests', ({ counts }) => number(sum(counts))],
  ['By minute', ({ counts }) => bars(counts)],
];

const LAST: readonly Column<Refused>[] = [
  ['Time', refused => time(refused.time)],
  ['Id', ({ id }) => html`<code class="id">${id}</code>`],
  ['Request', formatRequest],
  [
    'Reason',
    ({ detail, outcome, reason }) => [
      reason,
      detail && `, ${detail}`,
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
    reportOnly && (yield* renderWorked(reportOnly)),
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

function* renderWorked(reportOnly: ReportOnly): Pieces<Html> {
  const { note: why, worked } = reportOnly;
  const none = worked
    ? 'No request in 30 days.'
    : 'Operators see the requests.';
  return html`<h3>Worked, and will stop working once you enforce</h3>
    ${why !== undefined && html`<p>${why}</p>`}
    ${worked?.length ? yield* table(WORKED, worked) : html`<p>${none}</p>`}`;
}

function* renderHour({
  minutes,
  since,
}: PolicyReport['refusals']): Pieces<Html> {
  const minuteOf = (ms: number) => Math.floor(ms / 60_000);
  const present = minuteOf(Date.now());
  const byMinute = keyBy(minutes, each => minuteOf(Date.parse(each.minute)));
  const hour = range(present - 59, present + 1).map(
    minute => byMinute[minute]?.reasons ?? {},
  );
  const rows = uniq(hour.flatMap(Object.keys)).map(reason => ({
    reason,
    counts: hour.map(reasons => reasons[reason] ?? 0),
  }));
  const sorted = orderBy(rows, ({ counts }) => sum(counts), 'desc');
  return html`<h3>The last hour, by minute</h3>
    ${sorted.length > 0 ? yield* table(HOUR, sorted) : html`<p>None since ${time(since)}.</p>`}`;
}
