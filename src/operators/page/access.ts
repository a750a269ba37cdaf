import { pickBy, uniqBy } from 'lodash';
import { formatRule } from '../../settings/read/readAllowRules';
import { entriesFor } from '../../gate/rules/TokenLimits';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { PolicyReport } from '../reports/describePolicy';
import {
  formatLimits,
  formatToken,
  listBesideRules,
  notesOf,
  WHATEVER_BACKSTAGE_ALLOWS,
} from '../reports/formatPolicyReport';
import { Content, html } from './html';
import {
  code,
  Column,
  counted,
  list,
  number,
  preformatted,
  table,
  tag,
  time,
} from './parts';

/** Routes outside of `/api`, which the gate does not see. */
const OUTSIDE = [
  'Health checks: /.backstage/health/v1/readiness and …/liveness',
  'The frontend, which the plugin app serves at /',
  'What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions',
];

/** A rule with its index, and with its use where this is recorded. */
type RuleRow = PolicyReport['allow'][number] & {
  index: number;
  use?: NonNullable<PolicyReport['usage']>['rules'][number];
};

/** A subject with its limits, and with its use where this is recorded. */
interface TokenRow {
  subject: string;
  /** The requests that the entries for it allow. */
  limits: string[];
  use?: NonNullable<PolicyReport['usage']>['externalTokens'][number];
}

const RULES: readonly Column<RuleRow>[] = [
  [
    'Public by rule',
    rule => [
      code(formatRule(rule)),
      html`<small>${CONFIG_KEY}.allow[${rule.index}]</small>`,
    ],
  ],
  ['Reason', ({ reason }) => reason],
  ['Requests in 30 days', ({ use }) => use && number(use.requests30d)],
  ['Last use', ({ use }) => use && formatLastUse(use)],
  [
    'Limits',
    rule => {
      const notes = notesOf(rule).join('; ');
      const isOff = rule.ended || rule.installed === false;
      return isOff ? tag('warned', notes) : notes;
    },
  ],
];

const TOKENS: readonly Column<TokenRow>[] = [
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

/** Renders what can be reached without signing in: by a rule, without one, and outside of the gate. */
export function renderExposure(report: PolicyReport): Content {
  const { allow, installed, usage } = report;
  const rows = allow.map((rule, index) => ({
    ...rule,
    index,
    use: usage?.rules[index],
  }));
  const others = Object.entries(pickBy(listBesideRules(report), 'length'));
  return [
    table(RULES, rows, 'No rule opens anything.'),
    usage &&
      html`<p class="muted">
        Use is that of
        ${usage.scope === 'replica' ? 'this process' : 'all replicas of this backend'},
        since
        ${time(usage.since)}${!usage.complete && '; the record is not complete'}.
      </p>`,
    others.map(([title, lines]) => [html`<h3>${title}</h3>`, list(lines)]),
    html`<h3>Outside of /api, where the gate is not</h3>`,
    list(OUTSIDE),
    html`<p>
      All else needs a credential. Plugins of this backend:
      ${installed.join(', ')}
    </p>`,
  ];
}

/** Renders the external tokens by subject: what they call, what they may do, and what they could be narrowed to. */
export function renderTokens(report: PolicyReport): Content {
  const { enforced, tokens, usage } = report;
  const used = usage?.externalTokens ?? [];
  const subjects = uniqBy([...used, ...(tokens ?? [])], 'subject');
  const rows = subjects.map(({ subject }) => ({
    subject,
    limits: limitsOf(subject, tokens),
    use: used.find(token => token.subject === subject),
  }));
  const none = 'No external token is configured, and none was seen.';
  const warning =
    tokens &&
    !enforced &&
    'What a token may do is not in force in report-only.';
  return table(TOKENS, rows, none, warning);
}

function limitsOf(subject: string, tokens: PolicyReport['tokens']): string[] {
  if (!tokens) {
    return [WHATEVER_BACKSTAGE_ALLOWS];
  }
  const limits = entriesFor(subject, tokens).map(token =>
    token.subject === subject ? formatLimits(token) : formatToken(token),
  );
  return limits.length > 0 ? limits : ['nothing'];
}

/** Formats the last day with a request. `days` is the time of observation. */
function formatLastUse(use: { days?: number; lastUsed: string | null }) {
  const { days, lastUsed } = use;
  const none = days === undefined ? 'none' : `none in ${counted(days, 'day')}`;
  return lastUsed === null ? none : html`<time>${lastUsed}</time>`;
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
