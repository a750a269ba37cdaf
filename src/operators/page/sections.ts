import { compact, pickBy, uniqBy } from 'lodash';
import { formatRule } from '../../settings/read/readAllowRules';
import { findDefault } from '../../gate/rules/TokenLimits';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { Finding } from '../findings/Finding';
import type { PolicyReport } from '../reports/describePolicy';
import {
  formatLimits,
  formatToken,
  listBesideRules,
  notesOf,
} from '../reports/formatPolicyReport';
import type { Pieces } from '../pieces';
import { Content, html } from './html';
import {
  code,
  Columns,
  counted,
  filtered,
  list,
  note,
  number,
  preformatted,
  table,
  tag,
  time,
  View,
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

interface TokenRow {
  subject: string;
  /** The requests that its entries and its default allow. */
  limits: string[];
  use?: NonNullable<PolicyReport['usage']>['externalTokens'][number];
}

const RULES: Columns<RuleRow> = {
  'Public by rule': rule => [
    code(formatRule(rule)),
    html`<small>${CONFIG_KEY}.allow[${rule.index}]</small>`,
  ],
  Reason: ({ reason }) => reason,
  'Requests in 30 days': ({ use }) => use && number(use.requests30d),
  'Last use': ({ use }) => use && formatLastUse(use),
  Limits: rule => {
    const notes = notesOf(rule).join('; ');
    const isOff = rule.ended || rule.unmet || rule.installed === false;
    return isOff ? tag('warned', notes) : notes;
  },
};

const TOKENS: Columns<TokenRow> = {
  Subject: ({ subject }) => code(subject),
  Calls: ({ use }) => use?.plugins.join(', '),
  'Handlers call for it': ({ use }) => use?.delegatedTo.join(', '),
  'Requests in 30 days': ({ use }) => use && number(use.requests30d),
  'Last use': ({ use }) => use && formatLastUse(use),
  May: ({ limits }) => list(limits),
  'Could be narrowed to': ({ use }) => [
    formatYaml('Plugins', use?.yaml),
    formatYaml('Requests', use?.only),
  ],
};

const FINDINGS: Columns<Finding> = {
  Finding: ({ accepted, id }) => [
    code(id),
    accepted && tag('closed', 'accepted: ', accepted.reason),
  ],
  At: ({ at }) => code(at),
  Why: ({ why }) => why,
  Write: ({ write }) => write,
};

const EXPECTED: Columns<PolicyReport['expect'][number]> = {
  Expected: ({ plugin, request }) =>
    request === undefined ? `Everything of ${plugin}` : code(request),
  Is: ({ is }) => is,
  Holds: ({ holds }) =>
    holds ? 'yes' : tag('warned', 'not any more: its rule has ended'),
};

const TITLES: Record<string, string> = {
  operators: 'May end sessions of others, lock users out, and read this page',
  readers: 'May read this page',
  issuers: 'Whose user tokens are accepted besides its own',
  credentialHeader: 'May hold the token in place of Authorization',
  foreignAuthorization: 'Where Authorization is for another server',
  cookie: 'Where the cookie authenticates, and for how long',
  signOut: 'What a sign-out ends',
};

type Setting = [key: string, value: unknown];

const SETTINGS: Columns<Setting> = {
  Setting: ([key]) => [TITLES[key], html`<small>${CONFIG_KEY}.${key}</small>`],
  Value: ([, value]) => formatValue(value),
};

export function renderFindings({ report, filter }: View): Pieces<Content> {
  const none = 'No setting makes the gate pointless, and no rule is dangerous.';
  return table(FINDINGS, report.findings, filter, none);
}

/** Renders what can be reached without signing in: by a rule, without one, and outside of the gate. */
export function* renderExposure({ report, filter }: View): Pieces<Content> {
  const { allow, installed, usage } = report;
  const rows = allow.map((rule, index) => ({
    ...rule,
    index,
    use: usage?.rules[index],
  }));
  const rules = yield* table(RULES, rows, filter, 'No rule opens anything.');
  const others: Content[] = [];
  const lists = pickBy(listBesideRules(report), 'length');
  for (const [title, lines] of Object.entries(lists)) {
    const shown = yield* filtered(lines, filter, line => line, '', list);
    others.push(html`<h3>${title}</h3>`, shown);
  }
  return [
    rules,
    usage &&
      html`<p class="muted">
        Use is that of
        ${usage.scope === 'replica' ? 'this process' : 'all replicas of this backend'},
        since
        ${time(usage.since)}${!usage.complete && '; the record is not complete'}.
      </p>`,
    others,
    html`<h3>Outside of /api, where the gate is not</h3>`,
    list(OUTSIDE),
    html`<p>
      All else needs a credential. Plugins of this backend:
      ${installed.join(', ')}
    </p>`,
  ];
}

export function* renderExpected({ report, filter }: View): Pieces<Content> {
  const { enforced, expect } = report;
  const none = `Nothing is written down in ${CONFIG_KEY}.expect.`;
  const warning = 'What has to be closed is closed once you enforce.';
  return [
    expect.length > 0 && !enforced && note('warned', warning),
    yield* table(EXPECTED, expect, filter, none),
  ];
}

/** Renders the external tokens by subject: what they call, what they may do, and what they could be narrowed to. */
export function* renderTokens({ report, filter }: View): Pieces<Content> {
  const { enforced, tokens, usage } = report;
  const used = usage?.externalTokens ?? [];
  const rows = uniqBy([...used, ...tokens], 'subject').map(({ subject }) => ({
    subject,
    limits: [
      ...tokens.filter(token => token.subject === subject).map(formatLimits),
      ...compact([findDefault(subject, tokens)]).map(formatToken),
    ],
    use: used.find(token => token.subject === subject),
  }));
  const none = 'No external token is configured, and none was seen.';
  const warning = 'What a token may do is not in force in report-only.';
  return [
    tokens.length > 0 && !enforced && note('warned', warning),
    yield* table(TOKENS, rows, filter, none),
  ];
}

export function renderSettings({ report, filter }: View): Pieces<Content> {
  const settings: Record<string, unknown> = report.settings;
  const rows = Object.keys(TITLES).map((key): Setting => [key, settings[key]]);
  return table(SETTINGS, rows, filter);
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

function formatValue(value: unknown): Content {
  if (typeof value !== 'object') {
    return value === undefined ? 'none' : String(value);
  }
  const { plugin, path, ...others } = value as Record<string, unknown>;
  if (plugin !== undefined) {
    return code(`/api/${plugin}${path}`);
  }
  const items = Object.entries(others)
    .filter(([, each]) => each !== undefined)
    .map(([key, each]) => [
      !Array.isArray(value) && `${key}: `,
      formatValue(each),
    ]);
  return list(items) ?? 'none';
}
