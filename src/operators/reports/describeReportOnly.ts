import type { Config } from '@backstage/config';
import { compact, pick, reject, uniq } from 'lodash';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { createGet, NO_BARRIERS } from '../findings/backstageSettings';
import { isTrue } from '../../settings/read/values';
import type { PolicyReport } from './createPolicyReport';
import { proposeRule } from './proposeRule';
import type { RefusalCount } from './RefusalCounts';

export const POLICY_DISABLED =
  'no rules are proposed while backend.auth.dangerouslyDisableDefaultAuthPolicy is set, since every route works without a credential';

// The sentence is one line of the log.
const MAX_NAMED = 5;

/** Requests of one kind that worked, and that would have been refused. docs/reference/http-api.md describes each field. */
export interface WorkedRequests {
  plugin: string;
  method: string;
  path?: string;
  status?: number;
  /** Why the credential that was presented would be refused; absent for requests that presented none. */
  reason?: string;
  subject?: string;
  requests: number;
  firstSeen: string;
  lastSeen: string;
  yaml?: string;
  why?: string;
  isKeptClosed?: true;
}

export type ReportOnlyReport = NonNullable<
  ReturnType<typeof describeReportOnly>
>;

/** Describes what enforcing would stop of what this process has seen. Returns `undefined` if the gate enforces. */
export function describeReportOnly(options: {
  config: Config;
  counts: readonly RefusalCount[];
  policy: ConfiguredPolicy;
  since: string;
}) {
  const { config, counts, policy, since } = options;
  if (policy.isEnforced) {
    return undefined;
  }
  const isDefaultPolicyDisabled = isTrue(createGet(config)(NO_BARRIERS));
  const worked = counts
    .filter(({ answer }) => answer === 'worked')
    .flatMap(
      count =>
        describeWorked(workedOf(count), policy, isDefaultPolicyDisabled) ?? [],
    );
  return {
    since,
    worked,
    ...(isDefaultPolicyDisabled && { note: POLICY_DISABLED }),
  };
}

function workedOf(count: RefusalCount): WorkedRequests {
  const { detail, reason, subject } = count;
  const presented = reason !== 'missing-credentials';
  return {
    ...pick(count, 'plugin', 'method', 'path', 'status'),
    ...(presented && { reason: compact([reason, detail]).join(', ') }),
    ...(subject && { subject }),
    ...pick(count, 'requests', 'firstSeen', 'lastSeen'),
  };
}

/** Describes what becomes of requests that worked; returns nothing if a rule in force opens them. */
export function describeWorked(
  worked: WorkedRequests,
  { allowList, config, now }: ConfiguredPolicy,
  isDefaultPolicyDisabled: boolean,
): WorkedRequests | undefined {
  const { plugin: pluginId, method, path } = worked;
  const why = describeRefusedCredential(worked);
  if (why) {
    return { ...worked, why };
  }
  if (path && allowList.match(pluginId, method, path, now())) {
    return undefined;
  }
  if (config.closed.includes(pluginId)) {
    return { ...worked, isKeptClosed: true };
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

function describeRefusedCredential(worked: WorkedRequests): string | undefined {
  const { reason, subject } = worked;
  const whose = subject ? `a token of ${subject}` : 'a credential';
  return reason && `${whose} would be refused (${reason})`;
}

function nameSome(names: readonly string[]): string {
  const more = names.length - MAX_NAMED;
  const named = names.slice(0, MAX_NAMED).join(', ');
  return more > 0 ? `${named}, ${more} more` : named;
}

/** Names what works only until the gate enforces, as far as this process has seen it. */
export function nameStopping({
  since,
  worked,
}: NonNullable<PolicyReport['reportOnly']>): string {
  const stopping = reject(worked, 'isKeptClosed').map(each => {
    const whose = each.subject ? ` with a token of ${each.subject}` : '';
    return `${nameRequest(each)}${whose}`;
  });
  return stopping.length > 0
    ? `the gate refuses ${nameSome(uniq(stopping))} from then on`
    : `nothing that worked at this replica since ${since} stops then`;
}

function nameRequest({ plugin, method, path = '/…' }: WorkedRequests): string {
  // The label of plugins that are not installed is no id.
  const at = PLUGIN_ID.test(plugin) ? `/api/${plugin}${path}` : plugin;
  return `${method} ${at}`;
}

/** Formats requests that worked: the rule that would keep them as a comment, or why none is proposed. */
export function formatWorked(worked: WorkedRequests): string {
  const note = worked.isKeptClosed
    ? 'auth.apiGate.closed has its plugin'
    : worked.why;
  return (
    worked.yaml ??
    `${nameRequest(worked)}: ${describeRequests(worked)}${note ? `; ${note}` : ''}`
  );
}

/** Says since when requests have worked, and when they stop to. */
export function titleOfWorked({
  reportOnly,
  until,
}: Pick<PolicyReport, 'reportOnly' | 'until'>): string {
  const since = reportOnly ? ` at this replica since ${reportOnly.since}` : '';
  return `Worked${since}, and will be refused ${until ? `from ${until} on` : 'once you enforce'}; ${reportOnly?.note ?? 'to keep a request public, paste its rule and remove the first #'}`;
}

/** Describes how often requests worked, when, and what answered. */
function describeRequests(worked: WorkedRequests): string {
  const { requests, firstSeen, lastSeen, status } = worked;
  const [first, last] = [firstSeen, lastSeen].map(each => each.slice(0, 10));
  const days = first === last ? `on ${last}` : `from ${first} to ${last}`;
  return `${requests} request${requests === 1 ? '' : 's'} ${days}${status ? `, answered ${status}` : ''}`;
}
