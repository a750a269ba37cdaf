import { formatRule } from '../../gate/rules/AllowRule';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { PolicyReport } from '../reports/describePolicy';
import { listBesideRules, notesOf } from '../reports/formatPolicyReport';
import type { Pieces } from '../pieces';
import { Content, Html, html } from './html';
import {
  code,
  Column,
  counted,
  date,
  filtered,
  list,
  number,
  section,
  table,
  tag,
  time,
} from './parts';

/** What answers outside of `/api`, where the gate is not. */
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

const COLUMNS: readonly Column<RuleRow>[] = [
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
      const isOff = rule.ended || rule.unmet || rule.installed === false;
      return isOff ? tag('warned', notes) : notes;
    },
  ],
];

/** Renders what can be reached without signing in: by a rule, without one, and outside of the gate. */
export function* renderExposure(report: PolicyReport): Pieces<Html> {
  const { allow, installed, usage } = report;
  const rules = allow.map((rule, index) => ({
    ...rule,
    index,
    use: usage?.rules[index],
  }));
  return section(
    'exposure',
    allow.length === 0
      ? html`<p>No rule opens anything.</p>`
      : yield* table(COLUMNS, rules),
    usage &&
      html`<p class="muted">
        Use is that of
        ${usage.scope === 'replica' ? 'this process since its start' : 'all replicas of this backend'},
        since
        ${time(usage.since)}${!usage.complete && '; the record is not complete'}.
      </p>`,
    listBesideRules(report).map(([title, lines]) => [
      html`<h3>${title}</h3>`,
      filtered(
        lines.map(line => html`<li>${line}</li>`),
        shown =>
          html`<ul>
            ${shown}
          </ul>`,
      ),
    ]),
    html`<h3>Outside of /api, where the gate is not</h3>`,
    list(OUTSIDE),
    html`<p>
      All else needs a credential. Plugins of this backend:
      ${installed.join(', ')}
    </p>`,
  );
}

/** Formats the last day with a request. `days` is the time of observation. */
export function formatLastUse({
  days,
  lastUsed,
}: {
  days?: number;
  lastUsed: string | null;
}): Content {
  if (lastUsed !== null) {
    return date(lastUsed);
  }
  return days === undefined ? 'none' : `none in ${counted(days, 'day')}`;
}
