import { compact, map, sumBy } from 'lodash';
import { AllowRule, PLUGIN_ID } from '../../gate/rules/AllowRule';
import { formatRule } from '../../settings/read/readAllowRules';
import {
  ApiGateConfig,
  CONFIG_KEY,
} from '../../settings/read/readApiGateConfig';
import type { ExternalToken } from '../../settings/read/readExternalTokens';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { Usage } from '../../store/usage/Usage';
import {
  dayOf,
  formatDay,
  keyOf,
  tokenCallOf,
  Use,
  usedRule,
} from '../../store/usage/Use';
import { DAY_MS } from '../../gate/util/time';
import { proposeLimits } from './proposeRule';

// A week has the requests of each day of it. A caller that comes more rarely needs a look by the operator.
const MIN_DAYS = 7;

/** The use of rules and external tokens at the replicas of this backend, on the last 30 days and today. docs/usage.md describes each field. */
export type UsageReport = NonNullable<ReturnType<typeof describeUsage>>;

/** Describes the use of rules and tokens; returns nothing if `auth.apiGate.usage` is false. */
export function describeUsage(
  usage: Usage,
  { allow: rules, tokens }: Pick<ApiGateConfig, 'allow' | 'tokens'>,
  plugins: Pick<Plugins, 'isInstalled'>,
  uses = usage.read(),
) {
  if (!usage.isOn) {
    return undefined;
  }
  const all = [...uses.values()].filter(({ kind }) => kind !== 'worked');
  const firstDay = Math.min(dayOf(Date.now()), ...map(all, 'firstDay'));
  return {
    since: new Date(firstDay * DAY_MS).toISOString(),
    days: daysOf(all),
    complete: usage.isComplete,
    /** `replica`: without the `auth` plugin's database, this process reports its own requests since its start. */
    scope: usage.isShared ? ('all replicas' as const) : ('replica' as const),
    rules: rules.map((rule, i) => ({
      rule: `${CONFIG_KEY}.allow[${i}]`,
      ...rule,
      ...describeRule(rule, uses),
      installed: plugins.isInstalled(rule.plugin),
    })),
    externalTokens: describeTokens(
      usage.externalTokens,
      all.filter(({ kind }) => kind !== 'rule'),
      (tokens ?? [])
        .filter(({ only }) => only !== 'all')
        .map(({ subject }) => subject),
    ),
  };
}

/** Formats the rules and tokens without a request, once they were observed for a day, and what could be restricted. */
export function formatUsage(report: UsageReport): string[] {
  const { rules, externalTokens, complete, scope, since } = report;
  return compact([
    ...rules
      .filter(({ installed }) => installed)
      .map(use => formatUnused(`${use.rule} (${formatRule(use)})`, use)),
    ...externalTokens.map(use =>
      formatUnused(`the external token of ${use.subject}`, use),
    ),
    ...externalTokens.flatMap(({ subject, yaml, only }) => [
      ...formatProposal(
        `the external token of ${subject} has no restrictions; these allow what it and handlers for it have called:`,
        yaml,
      ),
      ...formatProposal(
        `the external token of ${subject} has no only; this entry of auth.apiGate.tokens allows what it has called:`,
        only,
      ),
    ]),
    !complete &&
      (scope === 'replica'
        ? 'without the auth plugin in this backend, each process counts its own requests since its start, and nothing is stored'
        : `the record since ${since} is not complete: the log has the reason`),
  ]);
}

function formatProposal(title: string, yaml: string | undefined): string[] {
  return yaml ? [title, ...yaml.split('\n').map(line => `  ${line}`)] : [];
}

function formatUnused(
  name: string,
  use: { days?: number; reason?: string; requests30d: number },
) {
  const { days = 0, reason, requests30d } = use;
  return (
    days > 0 &&
    requests30d === 0 &&
    `${name} was not used in ${days} day${days === 1 ? '' : 's'} of observation${reason ? `  (${reason})` : ''}`
  );
}

function describeRule(rule: AllowRule, uses: Map<string, Use>) {
  const ofMethods = rule.methods.map(method =>
    uses.get(keyOf(usedRule(rule, method))),
  );
  return {
    ...describeRequests(compact(ofMethods)),
    // A method that was added later has fewer days.
    days: Math.min(...ofMethods.map(use => use?.days ?? 0)),
    withoutCredential30d: sumBy(compact(ofMethods), 'anonymous'),
  };
}

/** Describes the tokens that the configuration names, and then those of other subjects. */
function describeTokens(
  configured: readonly ExternalToken[],
  uses: Use[],
  limited: readonly string[],
) {
  const bySubject = new Map<string, Use[]>(
    configured.map(({ subject }) => [subject, []]),
  );
  for (const use of uses) {
    const subject = use.kind === 'call' ? tokenCallOf(use).subject : use.name;
    const own = bySubject.get(subject) ?? [];
    own.push(use);
    bySubject.set(subject, own);
  }
  return [...bySubject].map(([subject, own]) => {
    const tokens = configured.filter(token => token.subject === subject);
    const [called, delegated, calls] = (
      ['token', 'delegation', 'call'] as const
    ).map(kind => own.filter(use => use.kind === kind));
    const plugins = pluginsOf(called);
    const delegatedTo = pluginsOf(delegated);
    // The restrictions of a `jwks` entry hold for all of its subjects.
    const isRestrictable =
      tokens.some(({ isRestricted }) => !isRestricted) &&
      plugins.length > 0 &&
      daysOf(delegated) >= MIN_DAYS;
    return {
      subject,
      ...describeRequests(called),
      ...(tokens.length > 0 && { days: daysOf(called) }),
      plugins,
      delegatedTo,
      ...(isRestrictable && {
        yaml: proposeRestrictions(plugins, delegatedTo),
      }),
      ...(tokens.length > 0 &&
        !limited.includes(subject) && { only: proposeOnly(subject, calls) }),
    };
  });
}

/** Proposes an entry of `auth.apiGate.tokens` for a subject, after seven days with a record of its requests. */
function proposeOnly(subject: string, calls: Use[]): string | undefined {
  const used = calls.filter(({ requests }) => requests > 0);
  return daysOf(calls.filter(({ plugin }) => plugin === '')) >= MIN_DAYS
    ? proposeLimits(subject, used)
    : undefined;
}

/**
 * Proposes restrictions that keep working what has worked. Releases before backend-defaults 0.17.8 ask for the called plugins only, but a token
 * that lacks the others would be refused after an update.
 */
function proposeRestrictions(called: string[], delegatedTo: string[]) {
  const plugins = [...new Set([...called, ...delegatedTo])].sort();
  // Other labels are those of plugins of other backends, and of calls that no restrictions allow.
  if (!plugins.every(id => PLUGIN_ID.test(id))) {
    return undefined;
  }
  const restrictions = plugins.map(
    id =>
      `  - plugin: ${id}${called.includes(id) ? '' : ' # handlers call it for this token'}`,
  );
  return ['accessRestrictions:', ...restrictions].join('\n');
}

function pluginsOf(uses: Use[]): string[] {
  return uses.flatMap(({ plugin }) => plugin || []).sort();
}

function daysOf(uses: Use[]): number {
  return Math.max(0, ...uses.map(({ days }) => days));
}

function describeRequests(uses: Use[]) {
  const lastUsed = Math.max(0, ...uses.map(use => use.lastUsed ?? 0));
  return {
    lastUsed: lastUsed ? formatDay(lastUsed) : null,
    requests30d: sumBy(uses, 'requests'),
  };
}
