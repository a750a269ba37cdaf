import { formatRule } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import type { Finding } from '../findings/Finding';
import { formatCandidate } from '../observability/CandidateCounts';
import { Html, html } from './html';
import type { PageReport } from './PageReport';
import { bars, code, Column, counted, section, table, time } from './parts';

/** A rule with all that the report has about it. */
type RuleRow = ReturnType<typeof readRules>[number];

const COLUMNS: readonly Column<RuleRow>[] = [
  ['Opens', ({ as, name }) => [code(name), as !== undefined && ` as ${as}`]],
  [
    'Written in',
    ({ at, setting }) =>
      at
        ? `${at.file}${at.line === undefined ? '' : `, line ${at.line}`}`
        : setting,
  ],
  ['Reason', ({ reason }) => reason],
  [
    'Last use',
    ({ use }) => use && (use.lastUsed ?? `none in ${counted(use.days, 'day')}`),
  ],
  [
    '30 days',
    ({ use }) =>
      use &&
      use.requests30d > 0 && [
        bars(use.byDay ?? [], `${counted(use.requests30d, 'request')}, by day`),
        html`<small>${counted(use.requests30d, 'request')}</small>`,
      ],
  ],
  [
    'End',
    ({ ended, until }) =>
      until !== undefined && [
        time(until),
        ended && html` <span class="tag warned">ended</span>`,
      ],
  ],
  [
    'Requires',
    ({ requires, unmet }) =>
      requires !== undefined && [
        code(requires),
        unmet && html` <span class="tag warned">missing, so closed</span>`,
      ],
  ],
  [
    'Findings',
    ({ own }) =>
      own.map(
        ({ accepted, id, index }) =>
          html`<a
            class="tag ${accepted ? 'closed' : 'open'}"
            href="#finding-${index}"
            >${id}</a
          > `,
      ),
  ],
];

/** Renders each allow rule: where it is written, why, who uses it, when it ends, and what is wrong with it. */
export function renderRules(report: PageReport): Html {
  const { allow, candidate, usage } = report;
  return section(
    'rules',
    'Rules',
    allow.length === 0
      ? html`<p>No rule opens anything.</p>`
      : table(COLUMNS, readRules(report), ({ index }) => `rule-${index}`),
    candidate &&
      html`<h3>Candidate</h3>
        <p>${formatCandidate(candidate)}</p>`,
    usage &&
      html`<p class="muted">
        Use is that of
        ${usage.scope === 'replica' ? 'this process since its start' : 'all replicas of this backend'},
        since
        ${time(usage.since)}${!usage.complete && '; the record is not complete'}.
      </p>`,
  );
}

function readRules({ allow, findings, usage }: PageReport) {
  const numbered = findings.map((finding, index) => ({ ...finding, index }));
  return allow.map((rule, index) => {
    const setting = `${CONFIG_KEY}.allow[${index}]`;
    return {
      ...rule,
      index,
      setting,
      name: formatRule(rule),
      own: numbered.filter(finding => isAbout(finding, setting)),
      use: usage?.rules[index],
    };
  });
}

/** Returns whether a finding is about a setting, or about a part of it. */
function isAbout({ at }: Finding, setting: string): boolean {
  return at.startsWith(setting) && /^([ .]|$)/.test(at.slice(setting.length));
}
