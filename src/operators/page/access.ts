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
import { code, Column, list, number, table, tag, time } from './parts';

/** Routes outside of `/api`, which the gate does not see. */
const OUTSIDE = [
  'Health checks: /.backstage/health/v1/readiness and …/liveness',
  'The frontend, which the plugin app serves at /',
  'What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions',
];

/** A rule with its index and its use. */
type RuleRow = PolicyReport['allow'][number] & {
  index: number;
  use: PolicyReport['used']['rules'][number];
};

/** A subject with its limits, and with its use if it has any, or if the configuration of Backstage names it. */
interface TokenRow {
  subject: string;
  /** The requests that the entries for it allow. */
  limits: string[];
  use?: PolicyReport['used']['externalTokens'][number];
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
  ['Requests', ({ use }) => number(use.requests)],
  ['Last use', ({ use }) => formatLastUse(use)],
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
  ['Requests', ({ use }) => use && number(use.requests)],
  ['Last use', ({ use }) => use && formatLastUse(use)],
  ['May', ({ limits }) => list(limits)],
];

/** Renders what can be reached without signing in: by a rule, without one, and outside of the gate. */
export function renderExposure(report: PolicyReport): Content {
  const { allow, installed, used } = report;
  const rows = allow.map((rule, index) => ({
    ...rule,
    index,
    use: used.rules[index],
  }));
  const others = Object.entries(pickBy(listBesideRules(report), 'length'));
  return [
    table(RULES, rows, 'No rule opens anything.'),
    html`<p class="muted">
      Use is that of this process, since ${time(used.since)}.
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

/** Renders the external tokens by subject: their use, and what they may do. */
export function renderTokens(report: PolicyReport): Content {
  const { enforced, tokens } = report;
  const used = report.used.externalTokens;
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

function formatLastUse({ lastUsed }: { lastUsed: string | null }) {
  return lastUsed === null ? 'none' : time(lastUsed);
}
