import { formatWorked } from '../observability/describeReportOnly';
import { Html, html } from './html';
import type { PageReport } from './PageReport';
import { bars, code, counted, note, section, table, time } from './parts';

const MINUTES = 60;

/** Renders the refusals of this process; in report-only, first what has worked and will stop working. */
export function renderRefusals(report: PageReport, id: string): Html {
  const { last } = report.refusals;
  const wanted = last.find(refusal => refusal.id === id);
  return section(
    'refusals',
    report.enforced ? 'Refusals' : 'Refusals, once you enforce',
    report.reportOnly && renderWorked(report.reportOnly),
    renderHour(report.refusals),
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
    id !== '' &&
      (wanted
        ? refusalTable([wanted])
        : note(
            'warned',
            `No refusal with the id ${id} is among the last ${last.length} of this process: the log has it.`,
          )),
    html`<h3>The last ${counted(last.length, 'refusal')} of this process</h3>`,
    last.length > 0 && refusalTable(last),
  );
}

function renderWorked({
  note: why,
  worked,
}: NonNullable<PageReport['reportOnly']>): Html {
  return html`<h3>Worked, and will stop working once you enforce</h3>
    ${why !== undefined && html`<p>${why}</p>`}
    ${
      worked.length === 0
        ? html`<p>Nothing in 30 days.</p>`
        : table<(typeof worked)[number]>(
            [
              [
                'Request',
                ({ method, plugin, path = '/…' }) =>
                  code(`${method} ${plugin}${path}`),
              ],
              ['Requests', ({ requests }) => requests.toLocaleString('en')],
              [
                'Seen',
                ({ firstSeen, lastSeen }) =>
                  firstSeen === lastSeen
                    ? lastSeen
                    : `${firstSeen} to ${lastSeen}`,
              ],
              ['Answered', ({ status }) => status],
              [
                'To keep it public',
                each =>
                  each.yaml === undefined
                    ? (each.why ??
                      (each.isExpectedClosed && 'expect has it as closed'))
                    : code(formatWorked(each)),
              ],
            ],
            worked,
          )
    }`;
}

/** Renders the last hour, one row for each reason. */
function renderHour({ minutes, since }: PageReport['refusals']): Html {
  const now = Math.floor(Date.now() / 60_000);
  const reasons = [
    ...new Set(minutes.flatMap(minute => Object.keys(minute.reasons))),
  ];
  const rows = reasons
    .map(reason => {
      const counts = new Array<number>(MINUTES).fill(0);
      for (const minute of minutes) {
        const index =
          MINUTES - 1 - (now - Math.floor(Date.parse(minute.minute) / 60_000));
        if (index >= 0 && index < MINUTES) {
          counts[index] += minute.reasons[reason] ?? 0;
        }
      }
      return { reason, counts, sum: counts.reduce((a, b) => a + b, 0) };
    })
    .filter(({ sum }) => sum > 0)
    .sort((a, b) => b.sum - a.sum);
  return html`<h3>The last hour, by minute</h3>
    ${
      rows.length === 0
        ? html`<p>None since ${time(since)}.</p>`
        : table<(typeof rows)[number]>(
            [
              ['Reason', ({ reason }) => code(reason)],
              ['Requests', ({ sum }) => sum.toLocaleString('en')],
              [
                'By minute',
                ({ counts, reason, sum }) =>
                  bars(
                    counts,
                    `${counted(sum, 'request')} refused for ${reason}, by minute of the last hour`,
                  ),
              ],
            ],
            rows,
          )
    }`;
}

function refusalTable(refusals: PageReport['refusals']['last']): Html {
  const hasAddress = refusals.some(({ address }) => address !== undefined);
  type Row = (typeof refusals)[number];
  return table<Row>(
    [
      ['Time', refusal => time(refusal.time)],
      ['Id', ({ id }) => html`<code class="id">${id}</code>`],
      [
        'Request',
        ({ method, path, plugin }) => code(`${method} ${plugin}${path}`),
      ],
      [
        'Reason',
        ({ detail, outcome, reason }) => [
          reason,
          detail && `, ${detail}`,
          outcome === 'would-refuse' &&
            html` <span class="tag warned">passed</span>`,
        ],
      ],
      ['Subject', ({ subject }) => subject],
      ...(hasAddress
        ? [['Address', ({ address }: Row) => address] as const]
        : []),
    ],
    refusals,
  );
}
