import { compact, uniqBy } from 'lodash';
import { findDefault } from '../../gate/rules/TokenLimits';
import type { PolicyReport } from '../reports/describePolicy';
import { formatLimits, formatToken } from '../reports/formatPolicyReport';
import type { Pieces } from '../pieces';
import { formatLastUse } from './exposure';
import { Html, html } from './html';
import {
  code,
  Column,
  list,
  note,
  number,
  preformatted,
  section,
  table,
} from './parts';

/** A subject with its limits, and with its use where this is recorded. */
interface TokenRow {
  subject: string;
  /** What its entries allow, and its default. */
  limits: string[];
  use?: NonNullable<PolicyReport['usage']>['externalTokens'][number];
}

const COLUMNS: readonly Column<TokenRow>[] = [
  ['Subject', ({ subject }) => code(subject)],
  ['Calls', ({ use }) => use?.plugins.join(', ')],
  ['Handlers call for it', ({ use }) => use?.delegatedTo.join(', ')],
  ['Requests in 30 days', ({ use }) => use && number(use.requests30d)],
  ['Last use', ({ use }) => use && formatLastUse(use)],
  ['May', ({ limits }) => list(limits)],
  [
    'Could be narrowed to',
    ({ use }) => [
      formatYaml('Plugins', use?.yaml),
      formatYaml('Requests', use?.only),
    ],
  ],
];

/** Renders the external tokens by subject: what they call, what they may do, and what they could be narrowed to. */
export function* renderTokens({
  enforced,
  tokens,
  usage,
}: PolicyReport): Pieces<Html> {
  const used = usage?.externalTokens ?? [];
  const rows = uniqBy([...used, ...tokens], 'subject').map(({ subject }) => ({
    subject,
    limits: [
      ...tokens.filter(token => token.subject === subject).map(formatLimits),
      ...compact([findDefault(subject, tokens)]).map(formatToken),
    ],
    use: used.find(token => token.subject === subject),
  }));
  return section(
    'tokens',
    tokens.length > 0 &&
      !enforced &&
      note('warned', 'What a token may do is not in force in report-only.'),
    rows.length === 0
      ? html`<p>No external token is configured, and none was seen.</p>`
      : yield* table(COLUMNS, rows),
  );
}

function formatYaml(title: string, yaml: string | undefined) {
  return (
    yaml !== undefined &&
    html`<details>
      <summary>${title}</summary>
      ${preformatted(yaml.split('\n'))}
    </details>`
  );
}
