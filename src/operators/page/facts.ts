import { keyBy, uniqBy } from 'lodash';
import { detailsOf, Fact } from '../facts/Fact';
import type { PolicyReport } from '../reports/createPolicyReport';
import { Content, html } from './html';
import { code, Column, list, number, table, tag, time } from './parts';

/** Routes outside of `/api`, which the gate does not see. */
const OUTSIDE = [
  'Health checks: /.backstage/health/v1/readiness and …/liveness',
  'The frontend, which the plugin app serves at /',
  'What a plugin adds to the root router itself, such as /.well-known/… of mcp-actions',
];

/** The titles of the facts that stand below the rules, by their kind. */
const BESIDE_RULES = {
  'always public': 'Public without a rule',
  'newly public': 'Newly public once the gate enforces',
  'declared open': 'Declared open by plugins',
  'not known': 'Not known',
  list: 'Lists, by file',
};

/** The titles of the facts of the last section, by their kind. */
const POWERS = {
  power: 'Who and what the gate trusts',
  closed: 'Plugins of which no rule may open anything',
  accepted: 'Accepted findings',
};

type Use = PolicyReport['used']['rules'][number];
type TokenUse = PolicyReport['used']['externalTokens'][number];

const RULES: readonly Column<Fact & { use?: Use }>[] = [
  ['Public by rule', ({ rule = '' }) => code(rule)],
  ['Reason', ({ note }) => note],
  ['Requests', ({ use }) => use && number(use.requests)],
  ['Last use', ({ use }) => use && formatLastUse(use)],
  ['Until', renderUntil],
];

const TOKENS: readonly Column<Fact>[] = [
  ['Token', ({ what }) => code(what)],
  ['May', ({ who }) => who],
  ['Until', renderUntil],
  ['Reason', ({ note }) => note],
];

const TOKEN_USES: readonly Column<TokenUse>[] = [
  ['Subject', ({ subject }) => code(subject)],
  ['Requests', ({ requests }) => number(requests)],
  ['Last use', formatLastUse],
];

/** Renders what can be reached without signing in: by a rule, without one, and outside of the gate. */
export function renderExposure(report: PolicyReport): Content {
  const { installed, used } = report;
  const uses = keyBy(used.rules, 'rule');
  // A rule has a fact for each of its methods.
  const rules = uniqBy(factsOf(report, 'public'), ({ rule, until, note }) =>
    [rule, until, note].join('\n'),
  ).map(fact => ({ ...fact, use: uses[fact.rule!] }));
  return [
    rules.length > 0
      ? table(RULES, rules, ['Rules, and their use', sinceStart(report)])
      : html`<p>No rule opens anything.</p>`,
    renderLists(report, BESIDE_RULES),
    html`<h3>Outside of /api, where the gate is not</h3>`,
    list(OUTSIDE),
    html`<p>
      All else needs a credential. Plugins of this backend:
      ${installed.join(', ')}
    </p>`,
  ];
}

/** Renders the external tokens: what they may do, and by subject their use. */
export function renderTokens(report: PolicyReport): Content {
  const uses = report.used.externalTokens;
  const isInForce = report.enforced ? '' : ', which is not in force yet';
  return [
    table(TOKENS, factsOf(report, 'external token'), [
      `What external tokens may do${isInForce}`,
    ]),
    uses.length > 0
      ? table(TOKEN_USES, uses, ['Use of external tokens', sinceStart(report)])
      : html`<p>No external token was seen.</p>`,
  ];
}

/** Renders who may do what, and whom and what the gate trusts. */
export function renderPower(report: PolicyReport): Content {
  return renderLists(report, POWERS);
}

function renderLists(
  report: PolicyReport,
  titles: Record<string, string>,
): Content {
  return Object.entries(titles).map(([kind, title]) => {
    const items = factsOf(report, kind).map(fact => [
      code(fact.what),
      ` ${detailsOf(fact).join('; ')}`,
    ]);
    return items.length > 0 && [html`<h3>${title}</h3>`, list(items)];
  });
}

function factsOf({ facts }: PolicyReport, kind: string): Fact[] {
  return facts.filter(fact => fact.kind === kind);
}

function sinceStart({ used }: PolicyReport): Content {
  return [' by this process since ', time(used.since)];
}

function renderUntil({ until }: Fact): Content {
  const isEnded = until !== undefined && Date.parse(until) <= Date.now();
  return until && [time(until), isEnded && tag('warned', 'ended')];
}

function formatLastUse({ lastUsed }: { lastUsed: string | null }): Content {
  return lastUsed === null ? 'none' : time(lastUsed);
}
