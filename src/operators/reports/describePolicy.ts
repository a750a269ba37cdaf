import { pick } from 'lodash';
import type { Finding } from '../findings/Finding';
import { AllowRule, endOf, prefixOf } from '../../gate/rules/AllowRule';
import {
  COOKIE_PATH,
  OWN_ROUTES_PATH,
  PLUGIN_KEYS_PATH,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { TokenEntry } from '../../gate/rules/GateSettings';
import { coveredUntil } from '../../settings/rules/coverage';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import type { PolicySource } from '../../settings/PolicySource';
import type { DeclaredPolicies } from '../../gate/plugins/DeclaredPolicies';
import { asRules, DeclaredOpening } from '../../settings/declaredOpen';
import type { ReportOnlyReport } from './describeReportOnly';
import type { ProcessReport } from './describeReplica';
import type { Uses } from './Uses';

/** The paths that can be reached without signing in, and why. docs/reference/http-api.md describes each field. */
export type PolicyReport = ReturnType<typeof describePolicy> & {
  /** Present in the answer of the policy route only. */
  filesNewerThanPolicy?: string[];
};

/** A rule in a report. `installed` is absent where it is not known whether its plugin is. */
export type ReportedRule = ReturnType<typeof withEnd<AllowRule>> & {
  installed?: boolean;
};

export type ReportedToken = ReturnType<typeof withEnd<TokenEntry>>;

// A plugin's policy is for all methods.
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The routes that the gate lets pass without a rule, written as rules. The plugin `*` stands for each. */
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
export function describePolicy(options: {
  findings: Finding[];
  plugins: Plugins;
  policies: DeclaredPolicies;
  policy: ConfiguredPolicy;
  process: ProcessReport;
  reportOnly: ReportOnlyReport | undefined;
  source: Pick<PolicySource, 'lists' | 'needsRestart' | 'problem'>;
  uses: Uses;
}) {
  const { findings, plugins, policies, policy, source } = options;
  const { reportOnly, uses } = options;
  const { config, hash, isEnforced, loadedAt, now } = policy;
  const declared = policies.all().map(asRules);
  const beyond = policy.openRules.flatMap(({ until, ...rule }) =>
    isBeyondPlugin(rule, options) ? [rule] : [],
  );
  return {
    hash,
    loadedAt: loadedAt.toISOString(),
    mode: config.mode,
    ...(config.until && { until: config.until.toISOString() }),
    enforced: isEnforced,
    ...(source.problem !== undefined && { problem: source.problem }),
    needsRestart: source.needsRestart,
    lists: source.lists,
    allow: config.allow.map((rule): ReportedRule => ({
      ...withEnd(rule, now()),
      installed: plugins.isInstalled(rule.plugin),
    })),
    tokens: config.tokens?.map(entry => withEnd(entry, now())),
    keptClosed: config.closed,
    settings: describeSettings(config),
    builtIn: BUILT_IN_PUBLIC,
    findings,
    installed: plugins.installedIds(),
    openedInCode: declared,
    closed: declared.filter(each => isClosed(each, policy)),
    unknown: plugins.registeredIds().filter(id => !policies.isKnown(id)),
    opensBeyondPlugins: beyond,
    ...options.process,
    ...(reportOnly && { reportOnly }),
    used: uses.describe(config.allow),
  };
}

function describeSettings(config: ConfiguredPolicy['config']) {
  const { cookie, operators, signOut } = config;
  return {
    operators: [...operators],
    ...pick(config, 'credentialHeader', 'foreignAuthorization'),
    cookie: {
      ...pick(cookie, 'enabled', 'name'),
      maxAge: cookie.maxAgeMs && `${cookie.maxAgeMs / 1000}s`,
      ...pick(cookie.attributes, 'domain', 'sameSite', 'secure'),
      ...pick(config, 'trustedOrigins', 'trustedPaths'),
    },
    signOut: { ...signOut, providers: [...signOut.providers] },
  };
}

/** Returns whether a rule opens what its plugin has not opened itself. */
function isBeyondPlugin(
  rule: AllowRule,
  { plugins, policies }: { plugins: Plugins; policies: DeclaredPolicies },
): boolean {
  // A parameter of a plugin's policy covers the segment `*` as it covers any other.
  const path = prefixOf(rule) || '/';
  const isOpen = (method: string) =>
    policies.isPublic(rule.plugin, path, method === WEBSOCKET);
  return plugins.isInstalled(rule.plugin) && !rule.methods.every(isOpen);
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

/** Returns whether allow rules do not open all that a plugin has declared open: everything below a path, or one WebSocket handler. */
function isClosed(
  { plugin, paths, isWebSocket }: DeclaredOpening,
  { allowList, now }: ConfiguredPolicy,
): boolean {
  // Signing in needs only the built-in public routes of `auth` and `app`.
  if (plugin === 'auth' || plugin === 'app') {
    return false;
  }
  if (isWebSocket) {
    return allowList.match(plugin, WEBSOCKET, paths[0], now()) === undefined;
  }
  return paths.some(path =>
    ALL_METHODS.some(
      method => coveredUntil(allowList, { plugin, path }, method) <= now(),
    ),
  );
}
