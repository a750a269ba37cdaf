import { omit, pick } from 'lodash';
import type { Finding } from '../findings/Finding';
import {
  AllowRule,
  ANY_SEGMENT,
  endOf,
  prefixOf,
} from '../../gate/rules/AllowRule';
import {
  COOKIE_PATH,
  OWN_ROUTES_PATH,
  PLUGIN_KEYS_PATH,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import type { Plugins } from '../../gate/plugins/Plugins';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import type { Expectation } from '../../settings/read/readExpectations';
import type { ListSource } from '../../settings/files/configFiles';
import type { DenyRule } from '../../gate/rules/DenyList';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import type { PolicySource } from '../../settings/PolicySource';
import type {
  DeclaredPolicies,
  DeclaredPolicy,
} from '../../gate/plugins/DeclaredPolicies';
import { mapInPieces, Pieces } from '../pieces';
import type { ReportOnlyReport } from './describeReportOnly';
import type { ProcessReport } from './describeReplica';
import type { UsageReport } from './describeUsage';

/** An entry of a list of the configuration in a report. */
type Reported<T> = Omit<T, 'until'> & {
  /** The end of the entry, as an instant in UTC. */
  until?: string;
  /** Present if the entry has ended, so that it opens or allows nothing. */
  ended?: true;
};

/** A rule in a report. `installed` is absent where it is not known whether its plugin is. */
export type ReportedRule = Reported<AllowRule> & { installed?: boolean };

/** An entry of `auth.apiGate.tokens` in a report. */
export type ReportedToken = Reported<TokenEntry>;

/** The paths that can be reached without signing in, and why. */
export interface PolicyReport extends ProcessReport {
  /** Identifies the settings in force: it is equal on replicas with equal configuration. */
  hash: string;
  /** The time at which the policy in force was read from the configuration. */
  loadedAt: string;
  mode: 'enforce' | 'report-only';
  /** With `report-only`: the time at which it ends. */
  until?: string;
  /** Whether refusals are carried out now. */
  enforced: boolean;
  /** Why the present configuration is not in force. */
  problem?: string;
  /** Config paths whose new value waits for a restart. */
  needsRestart: readonly string[];
  /**
   * Names of the files that differ from what the backend has read of them. Present in the answer of the policy route only, where
   * the backend has its files from its command line or from Backstage's defaults.
   */
  filesNewerThanPolicy?: string[];
  /** The files of the lists in force, and the lists of other files that they replace. */
  lists: readonly ListSource[];
  allow: ReportedRule[];
  deny: Reported<DenyRule>[];
  /** The limits of external tokens, by subject. */
  tokens: ReportedToken[];
  /** What operators have written down that must stay so, and whether it holds once the gate enforces. */
  expect: (Omit<Expectation, 'method' | 'path'> & { holds: boolean })[];
  /** Who may do what, and what is trusted. */
  settings: ReturnType<typeof describeSettings>;
  /** What is public without a rule. */
  builtIn: readonly ReportedRule[];
  /** Settings that make the gate pointless, and rules that are dangerous or useless. */
  findings: Finding[];
  /** Ids of the plugins that are installed in this backend, in lower case. */
  installed: string[];
  /** Paths that plugins have opened in code, and that the gate keeps closed, except to Backstage's own cookie. */
  closed: DeclaredPolicy[];
  /** Plugins whose own policies are not recorded. */
  unknown: string[];
  /** Allow rules for paths that the plugin itself has not opened: in report-only, they are not open yet. */
  opensBeyondPlugins: Pick<AllowRule, 'plugin' | 'path' | 'methods'>[];
  /** In report-only: what enforcing would stop. Readers do not get the requests, whose paths may hold a secret. */
  reportOnly?: Omit<ReportOnlyReport, 'worked'> &
    Partial<Pick<ReportOnlyReport, 'worked'>>;
  /** The use of rules and external tokens, unless `auth.apiGate.usage` is false. */
  usage?: UsageReport;
}

// A plugin's policy is for all methods.
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What the gate lets pass without a rule, as rules would say it. The plugin `*` stands for each. */
export const BUILT_IN_PUBLIC: readonly ReportedRule[] = [
  {
    plugin: 'app',
    path: '/**',
    methods: ['GET'],
    reason: `the frontend, except ${COOKIE_PATH}`,
  },
  {
    plugin: 'auth',
    path: '/**',
    methods: ALL_METHODS,
    reason: `sign-in, except ${OWN_ROUTES_PATH} and ${COOKIE_PATH}`,
  },
  {
    plugin: '*',
    path: PLUGIN_KEYS_PATH,
    methods: ['GET'],
    reason: 'keys that verify tokens',
  },
  { plugin: '*', path: COOKIE_PATH, methods: ['DELETE'], reason: 'sign-out' },
];

/** Describes the policy in force beside the policies that plugins declare. */
export function* describePolicy(options: {
  findings: Finding[];
  plugins: Plugins;
  policies: DeclaredPolicies;
  policy: ConfiguredPolicy;
  process: ProcessReport;
  reportOnly: ReportOnlyReport | undefined;
  source: Pick<PolicySource, 'lists' | 'needsRestart' | 'problem'>;
  used: UsageReport | undefined;
}): Pieces<PolicyReport> {
  const { findings, plugins, policies, policy, source } = options;
  const { config, hash, isEnforced, loadedAt, now } = policy;
  const isBeyond = isBeyondPlugin(plugins, policies);
  const beyond = yield* mapInPieces(policy.openRules, ({ until, ...rule }) =>
    isBeyond(rule) ? [rule] : [],
  );
  return {
    hash,
    loadedAt: loadedAt.toISOString(),
    mode: config.mode,
    until: config.until?.toISOString(),
    enforced: isEnforced,
    problem: source.problem,
    needsRestart: source.needsRestart,
    lists: source.lists,
    allow: yield* mapInPieces(config.allow, rule => ({
      ...withEnd(rule, now()),
      installed: plugins.isInstalled(rule.plugin),
    })),
    deny: config.deny.map(rule => withEnd(rule, now())),
    tokens: config.tokens.map(entry => withEnd(entry, now())),
    expect: config.expect.map((expectation, i) => ({
      ...omit(expectation, 'method', 'path'),
      // The others hold: a policy of which one does not hold never gets into force.
      holds: !findings.some(
        ({ id, at }) =>
          id === 'expectation-ended' && at === `${CONFIG_KEY}.expect[${i}]`,
      ),
    })),
    settings: describeSettings(config),
    builtIn: BUILT_IN_PUBLIC,
    findings,
    installed: plugins.installedIds(),
    closed: listClosed(policies, { allowList: policy.opened, now }),
    unknown: plugins.registeredIds().filter(id => !policies.isKnown(id)),
    opensBeyondPlugins: beyond.flat(),
    ...options.process,
    reportOnly: options.reportOnly,
    usage: options.used,
  };
}

function describeSettings(config: ConfiguredPolicy['config']) {
  const { cookie, operators, readers, signOut } = config;
  return {
    operators: [...operators],
    readers: [...readers],
    ...pick(config, 'issuers', 'credentialHeader', 'foreignAuthorization'),
    cookie: {
      ...pick(cookie, 'enabled', 'name'),
      maxAge: cookie.maxAgeMs && `${cookie.maxAgeMs / 1000}s`,
      ...pick(cookie.attributes, 'domain', 'sameSite', 'secure'),
      ...pick(config, 'trustedOrigins', 'trustedPaths'),
    },
    signOut: { ...signOut, providers: [...signOut.providers] },
  };
}

/** Returns a function that returns whether a rule opens what its plugin has not opened itself. */
function isBeyondPlugin(plugins: Plugins, policies: DeclaredPolicies) {
  return (rule: AllowRule) =>
    plugins.isInstalled(rule.plugin) &&
    rule.methods.some(
      method =>
        !policies.isPublic(
          rule.plugin,
          // A parameter of a plugin's policy covers the segment `*` as it covers any other.
          prefixOf(rule) || '/',
          method === WEBSOCKET,
        ),
    );
}

/** Returns an entry with its end as text, and whether it has ended. */
export function withEnd<T extends { until?: number }>(
  { until, ...entry }: T,
  now = Date.now(),
) {
  return {
    ...entry,
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(endOf({ until }) <= now && { ended: true as const }),
  };
}

/** Lists what plugins have opened in code, and no allow rules in force open as far. */
function listClosed(
  policies: DeclaredPolicies,
  policy: Pick<ConfiguredPolicy, 'allowList' | 'now'>,
): DeclaredPolicy[] {
  return policies
    .all()
    .filter(
      declared =>
        // The built-in public routes of these are enough for signing in.
        !['auth', 'app'].includes(declared.plugin) &&
        !isCovered(declared, policy),
    )
    .map(declared => pick(declared, 'plugin', 'path', 'allow', 'isWebSocket'));
}

/** Returns whether allow rules open all that a plugin's policy does: everything below a path, or one WebSocket handler. */
function isCovered(
  { plugin, path, isWebSocket }: DeclaredPolicy,
  { allowList, now }: Pick<ConfiguredPolicy, 'allowList' | 'now'>,
): boolean {
  if (isWebSocket) {
    return allowList.match(plugin, WEBSOCKET, path, now()) !== undefined;
  }
  // Backstage reads `*` as the whole plugin. A parameter of a path is one segment of any text.
  const prefix = path.replace(/^[*/]$/, '').replace(/:[\w$]+/g, ANY_SEGMENT);
  const paths = prefix === '' ? ['/**'] : [prefix, `${prefix}/**`];
  return paths.every(each =>
    ALL_METHODS.every(
      method => allowList.coveredUntil({ plugin, path: each }, method) > now(),
    ),
  );
}
