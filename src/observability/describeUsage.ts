import { AllowRule, formatRule, PLUGIN_ID } from '../config/AllowRule';
import { CONFIG_KEY } from '../config/readApiGateConfig';
import type { Plugins } from '../plugins/Plugins';
import { isUnused, RuleUsage } from '../usage/RuleUsage';
import { dayOf, emptyUse, joinUses, Use } from '../usage/Use';
import { KnownUse, Usage, usedOf } from '../usage/Usage';

type Requests = Pick<RuleUsage, 'lastUsed' | 'requests30d'>;

/** The use of one allow rule. */
export interface ReportedRule extends AllowRule, RuleUsage {
  /** The number of these requests that presented no credential. Credentials are not verified on public routes. */
  withoutCredential30d: number;
  /** `false`: its plugin is not in this backend, which may see none of its requests. */
  installed: boolean;
}

/** The use of the external tokens with one subject. */
export interface TokenUsage extends Requests {
  subject: string;
  /** The number of days as for a rule; absent for subjects that the configuration does not name. */
  days?: number;
  /** Plugins that were called. */
  plugins: string[];
  /** The access restrictions that allow these plugins and no others, for a token that has no restrictions. */
  yaml?: string;
}

/** The use of rules and external tokens at the replicas of this backend. */
export interface UsageReport {
  /** The first start that has recorded use. */
  since: string;
  /** The number of whole days of observation since. */
  days: number;
  /** Whether all requests of that time are in the report, but for those of the last minute and a half. */
  complete: boolean;
  /** `replica`: without the `auth` plugin's database, this process reports its own requests since its start. */
  scope: 'all replicas' | 'replica';
  rules: ReportedRule[];
  externalTokens: TokenUsage[];
}

/** Describes the use of rules and tokens; returns nothing if `auth.apiGate.usage` is false. */
export function describeUsage(
  usage: Usage,
  rules: readonly AllowRule[],
  plugins: Pick<Plugins, 'isInstalled'>,
): UsageReport | undefined {
  if (!usage.isOn) {
    return undefined;
  }
  return {
    since: usage.since.toISOString(),
    days: dayOf(usage.of({ kind: 'start', name: '' }).observedMs),
    complete: usage.isComplete,
    scope: usage.isShared ? 'all replicas' : 'replica',
    rules: rules.map((rule, i) => ({
      rule: `${CONFIG_KEY}.allow[${i}]`,
      ...rule,
      ...describeRule(
        rule.methods.map(method => usage.of(usedOf(rule, method))),
      ),
      installed: plugins.isInstalled(rule.plugin),
    })),
    externalTokens: usage.tokens.map(token =>
      describeToken(token, usage.of({ kind: 'token', name: token.subject })),
    ),
  };
}

/** Returns the number of rules of installed plugins without a request in 30 days of observation; `undefined` if it is not known. */
export function countUnusedRules(
  report: UsageReport | undefined,
): number | undefined {
  return report?.complete ? report.rules.filter(isUnused).length : undefined;
}

/** Formats the rules and tokens without a recent request, once they were observed for a day, and what could be restricted. */
export function formatUsage(report: UsageReport): string[] {
  const { rules, externalTokens, complete, scope, since } = report;
  return [
    ...rules
      .filter(({ installed }) => installed)
      .flatMap(use => formatUnused(`${use.rule} (${formatRule(use)})`, use)),
    ...externalTokens.flatMap(use =>
      formatUnused(`the external token of ${use.subject}`, use),
    ),
    ...externalTokens.flatMap(({ subject, yaml }) =>
      yaml
        ? [
            `the external token of ${subject} has called no other plugins; this would restrict it to them:`,
            ...yaml.split('\n').map(line => `  ${line}`),
          ]
        : [],
    ),
    ...(complete
      ? []
      : [
          scope === 'replica'
            ? 'without the auth plugin in this backend, each process counts its own requests since its start, and nothing is stored'
            : `the record since ${since} is not complete, since the database can not be reached`,
        ]),
  ];
}

/** Returns a line about a rule or token that was observed for a day and has no recent request. */
function formatUnused(
  name: string,
  use: Requests & { days?: number; reason?: string },
): string[] {
  const { days = 0, lastUsed, reason, requests30d } = use;
  const used = lastUsed
    ? `was last used on ${lastUsed}`
    : `was not used in ${days} day${days === 1 ? '' : 's'} of observation`;
  return days > 0 && requests30d === 0
    ? [`${name} ${used}${reason ? `  (${reason})` : ''}`]
    : [];
}

function describeRule(uses: KnownUse[]) {
  const use = uses.reduce(joinUses, emptyUse());
  return {
    ...describeRequests(use),
    // A method that was added later was not observed before.
    days: dayOf(Math.min(...uses.map(({ observedMs }) => observedMs))),
    withoutCredential30d: sumOf(use, 1),
  };
}

function describeToken(
  { subject, isRestricted }: Usage['tokens'][number],
  use: KnownUse,
): TokenUsage {
  const plugins = Object.keys(use.plugins).sort();
  // The restrictions of a `jwks` entry hold for all of its subjects. Plugins of other backends are not recorded by name.
  const isRestrictable =
    isRestricted === false &&
    plugins.length > 0 &&
    plugins.every(id => PLUGIN_ID.test(id));
  return {
    subject,
    ...describeRequests(use),
    ...(isRestricted !== undefined && { days: dayOf(use.observedMs) }),
    plugins,
    ...(isRestrictable && {
      yaml: [
        'accessRestrictions:',
        ...plugins.map(id => `  - plugin: ${id}`),
      ].join('\n'),
    }),
  };
}

function describeRequests(use: Use): Requests {
  const { lastUsed } = use;
  return {
    lastUsed: lastUsed ? new Date(lastUsed).toISOString().slice(0, 10) : null,
    requests30d: sumOf(use, 0),
  };
}

function sumOf({ days }: Use, index: 0 | 1): number {
  return Object.values(days).reduce((sum, counts) => sum + counts[index], 0);
}
