import type { Config } from '@backstage/config';
import { compact, map, maxBy, partition, reject, uniq } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { Expectation } from '../../settings/read/readExpectations';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import type { Usage } from '../../store/usage/Usage';
import {
  formatDay,
  keyOf,
  RECENT_DAYS,
  REPORT_ONLY,
  Use,
  WorkedRequest,
  workedRequestOf,
} from '../../store/usage/Use';
import { createGet, NO_BARRIERS } from '../findings/backstageSettings';
import { isTrue } from '../../settings/read/values';
import { hideTokens } from '../hideTokens';
import type { PolicyReport } from './describePolicy';
import type { Refusals } from './Refusals';
import { proposeRule } from './proposeRule';

export const POLICY_DISABLED =
  'no rules are proposed while backend.auth.dangerouslyDisableDefaultAuthPolicy is set, since every route works without a credential';

// The sentence is one line of the log.
const MAX_NAMED = 5;

/** Similar requests that worked, and that would have been refused. docs/reference/http-api.md describes each field. */
export interface WorkedRequests extends WorkedRequest {
  userAgent?: string;
  requests: number;
  firstSeen: string;
  lastSeen: string;
  yaml?: string;
  why?: string;
  isExpectedClosed?: true;
}

export type ReportOnlyReport = NonNullable<
  ReturnType<typeof describeReportOnly>
>;

/** Describes what enforcing would stop. Returns `undefined` if the gate enforces. */
export function describeReportOnly(options: {
  config: Config;
  usage: Usage;
  /** The recorded uses, if they were read already. */
  uses?: Map<string, Use>;
  policy: ConfiguredPolicy;
  refusals: Pick<Refusals, 'userAgentOf'>;
}) {
  const { config, policy, refusals, usage } = options;
  if (policy.isEnforced) {
    return undefined;
  }
  const uses = options.uses ?? usage.read();
  const isDefaultPolicyDisabled = isTrue(createGet(config)(NO_BARRIERS));
  const all = [...uses.values()]
    .filter(({ kind, requests }) => kind === 'worked' && requests > 0)
    .flatMap(use => {
      const worked = {
        ...workedRequestOf(use),
        requests: use.requests,
        firstSeen: formatDay(use.firstDay),
        lastSeen: formatDay(use.lastUsed!),
        userAgent: refusals.userAgentOf(use),
      };
      return describeWorked(worked, policy, isDefaultPolicyDisabled) ?? [];
    })
    .sort((a, b) => b.requests - a.requests);
  const [expected, holding] = partition(all, 'isExpectedClosed');
  const { days = 0, recentDays = 0 } = uses.get(keyOf(REPORT_ONLY)) ?? {};
  return {
    ...decideEnforce(usage, recentDays, expected, holding),
    days,
    workedLast: maxBy(holding, 'lastSeen')?.lastSeen ?? null,
    worked: all,
    ...(isDefaultPolicyDisabled && { note: POLICY_DISABLED }),
  };
}

/** Describes what becomes of requests that worked; returns nothing if a rule in force opens them. */
export function describeWorked(
  worked: WorkedRequests,
  { allowList, config, now }: ConfiguredPolicy,
  isDefaultPolicyDisabled: boolean,
): WorkedRequests | undefined {
  const { plugin: pluginId, method, path } = worked;
  if (path && allowList.match(pluginId, method, path, now())) {
    return undefined;
  }
  const why = describeRefusedCredential(worked);
  if (why) {
    return { ...worked, why };
  }
  if (expectsClosed(config.expect, worked)) {
    return { ...worked, isExpectedClosed: true };
  }
  if (isDefaultPolicyDisabled) {
    return worked;
  }
  const proposal = proposeRule(worked);
  // The line is a comment, so that pasting it opens nothing.
  return 'yaml' in proposal
    ? { ...worked, yaml: `# ${proposal.yaml}  # ${describeRequests(worked)}` }
    : { ...worked, ...proposal };
}

function describeRefusedCredential(worked: WorkedRequest): string | undefined {
  const { reason, subject } = worked;
  const whose = subject ? `a token of ${subject}` : 'a credential';
  return reason && `${whose} would be refused (${reason})`;
}

/** Returns whether an operator has written down that requests are to be refused, one by one or with their whole plugin. */
function expectsClosed(
  expectations: readonly Expectation[],
  worked: WorkedRequests,
): boolean {
  return expectations.some(
    ({ is, method, path, plugin, request }) =>
      is === 'closed' &&
      plugin === worked.plugin &&
      // An expectation without a request is about a whole plugin.
      (request === undefined ||
        (method === worked.method && path === worked.path)),
  );
}

/**
 * Decides whether the gate may enforce: `now` if for seven days, nothing has worked that would stop working. What is known to work comes
 * first, because it holds even while the record is not complete.
 */
function decideEnforce(
  usage: Usage,
  recentDays: number,
  expected: WorkedRequests[],
  holding: WorkedRequests[],
): { enforce: 'now' | 'not yet' | 'not known'; because: string } {
  const firstDay = formatDay(usage.day - RECENT_DAYS);
  const recent = holding.filter(({ lastSeen }) => lastSeen >= firstDay);
  if (recent.length > 0) {
    const plugins = uniq(map(recent, 'plugin')).sort();
    const refused = uniq(compact(recent.map(describeRefusedCredential)));
    return {
      enforce: 'not yet',
      because: `requests that would be refused still worked on ${maxBy(recent, 'lastSeen')!.lastSeen}, at ${plugins.join(', ')}${refused.length > 0 ? `: ${nameSome(refused)}` : ''}`,
    };
  }
  const [unknown] = compact([
    !usage.isOn &&
      'auth.apiGate.usage is false, so that no record has the last days',
    !usage.isShared &&
      'without the auth plugin in this backend, nothing is stored',
    !usage.isComplete && 'the record is not complete: the log has the reason',
  ]);
  if (unknown) {
    return { enforce: 'not known', because: unknown };
  }
  return recentDays < RECENT_DAYS
    ? {
        enforce: 'not yet',
        because: `report-only was observed on ${recentDays} of the ${RECENT_DAYS} days before today, and all are needed`,
      }
    : {
        enforce: 'now',
        because: `nothing that worked in the last ${RECENT_DAYS} days would stop working${expected.length > 0 ? ', except what auth.apiGate.expect has as closed' : ''}`,
      };
}

function nameSome(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  const named = names.slice(0, MAX_NAMED).join(', ');
  return more > 0 ? `${named}, ${more} more` : named;
}

/** Names what works only until the gate enforces, with each path as every log shows it. */
export function nameStopping({
  because,
  worked,
}: NonNullable<PolicyReport['reportOnly']>): string {
  const stopping = reject(worked, 'isExpectedClosed').map(each => {
    const path = each.path && hideTokens(each.path);
    const whose = each.subject ? ` with a token of ${each.subject}` : '';
    return `${nameRequest({ ...each, path })}${whose}`;
  });
  return stopping.length > 0
    ? `the gate refuses ${nameSome(uniq(stopping))} from then on`
    : because;
}

function nameRequest({ plugin, method, path = '/…' }: WorkedRequest): string {
  // The label of plugins that are not installed is no id.
  const at = PLUGIN_ID.test(plugin) ? `/api/${plugin}${path}` : plugin;
  return `${method} ${at}`;
}

export function formatEnforce(
  report: Pick<ReportOnlyReport, 'enforce' | 'because'>,
): string {
  return `Enforce: ${report.enforce}, since ${report.because}`;
}

/** Formats requests that worked: the rule that would keep them as a comment, or why none is proposed. */
export function formatWorked(worked: WorkedRequests): string {
  const note = worked.isExpectedClosed
    ? 'auth.apiGate.expect has it as closed'
    : worked.why;
  return (
    worked.yaml ??
    `${nameRequest(worked)}: ${describeRequests(worked)}${note ? `; ${note}` : ''}`
  );
}

/** Describes how often requests worked, when, and what answered. */
export function describeRequests(worked: WorkedRequests): string {
  const { requests, firstSeen, lastSeen, status, userAgent } = worked;
  if (requests === 0) {
    return 'no request is recorded';
  }
  const days =
    firstSeen === lastSeen
      ? `on ${lastSeen}`
      : `from ${firstSeen} to ${lastSeen}`;
  return `${requests} request${requests === 1 ? '' : 's'} ${days}${status ? `, answered ${status}` : ''}${userAgent ? `, last by ${userAgent}` : ''}`;
}
