import { uniqBy } from 'lodash';
import { formatRule } from '../config/AllowRule';
import type {
  PolicyReport,
  ReportedToken,
} from '../observability/describePolicy';
import type { Pieces } from '../util/pieces';
import { Html, html } from './html';
import {
  code,
  counted,
  date,
  list,
  preformatted,
  section,
  table,
  tag,
  time,
} from './parts';

/** Renders the external tokens by subject: what they call, what they may do, and what they could be narrowed to. */
export function* renderTokens({
  enforced,
  tokens,
  usage,
}: PolicyReport): Pieces<Html> {
  const used = usage?.externalTokens ?? [];
  const rows = uniqBy([...used, ...tokens], 'subject').map(({ subject }) => ({
    subject,
    limits: tokens.filter(token => token.subject === subject),
    use: used.find(token => token.subject === subject),
  }));
  return section(
    'tokens',
    'External tokens',
    rows.length === 0
      ? html`<p>No external token is configured, and none was seen.</p>`
      : yield* table(
          [
            ['Subject', ({ subject }) => code(subject)],
            ['Calls', ({ use }) => use?.plugins.join(', ')],
            ['Handlers call for it', ({ use }) => use?.delegatedTo.join(', ')],
            [
              'Last use',
              ({ use }) =>
                use &&
                (use.lastUsed === null
                  ? `none${use.days === undefined ? '' : ` in ${counted(use.days, 'day')}`}`
                  : date(use.lastUsed)),
            ],
            [
              '30 days',
              ({ use }) => use && counted(use.requests30d, 'request'),
            ],
            [
              'May',
              ({ limits }) =>
                list(limits.map(limit => formatLimit(limit, enforced))),
            ],
            [
              'Could be narrowed to',
              ({ use }) =>
                [use?.yaml, use?.only].map(
                  yaml =>
                    yaml &&
                    html`<details>
                      <summary>
                        ${yaml === use?.yaml ? 'Plugins' : 'Requests'}
                      </summary>
                      ${preformatted(yaml.split('\n'))}
                    </details>`,
                ),
            ],
          ],
          rows,
        ),
  );
}

function formatLimit(
  { ended, only, reason, until }: ReportedToken,
  isInForce: boolean,
) {
  return [
    only ? only.map(formatRule).join('; ') : 'what accessRestrictions allow',
    until && [' until ', time(until)],
    ended && tag('warned', 'ended'),
    !isInForce && tag('warned', 'not in force'),
    reason && ` (${reason})`,
  ];
}
