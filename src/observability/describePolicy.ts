import type { AllowRule } from '../config/AllowRule';
import { prefixOf } from '../config/AllowRule';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import type { Plugins } from '../plugins/Plugins';
import { formatListSource, ListSource } from '../config/findListSources';
import { RULE_PATH } from '../config/readAllowRules';
import type { PolicySource } from '../policy/PolicySource';
import type { DeclaredPolicies } from '../plugins/DeclaredPolicies';
import type {
  DecisionCount,
  DecisionCounts,
  WouldRefuse,
} from './DecisionCounts';

/** A path that a plugin has opened in code, and that the gate closes. */
export interface ClosedPath {
  plugin: string;
  /** As the plugin declares it: a prefix, for all methods; with `isWebSocket` the one handler's. */
  path: string;
  isWebSocket: boolean;
  /** To whom the plugin opens it: to everybody, or to Backstage's own cookie (which goes on reading it). */
  allow: 'unauthenticated' | 'user-cookie';
  /** The allow rules that would make it public, as YAML. */
  yaml: string;
}

/** What can be reached without signing in, and why. */
export interface PolicyReport {
  /** Names the settings in force: replicas with the same configuration have the same. */
  hash: string;
  /** When the policy in force was read from the configuration. */
  loadedAt: string;
  mode: 'enforce' | 'report-only';
  /** With `report-only`: when it ends. */
  until?: string;
  /** Whether refusals are carried out now. */
  enforced: boolean;
  /** Why the configuration as it now stands is not in force. */
  problem?: string;
  /** Config paths whose new value waits for a restart. */
  needsRestart: readonly string[];
  /** The files that the lists in force are from, and the lists of other files that they replace. */
  lists: readonly ListSource[];
  allow: (AllowRule & { installed: boolean })[];
  closed: ClosedPath[];
  /** Plugins of which it is not known what they open themselves. */
  unknown: string[];
  /** Allow rules for what the plugin itself has not opened: in report-only, they are not open yet. */
  opensBeyondPlugins: AllowRule[];
  decisions: DecisionCount[];
  /** What would have been refused, in report-only. */
  wouldRefuse: WouldRefuse[];
  /** How many more would have been refused that are not told apart. */
  wouldRefuseUncounted: number;
}

/** Tells what is open. */
export function describePolicy(options: {
  counts: DecisionCounts;
  plugins: Plugins;
  policies: DeclaredPolicies;
  source: PolicySource;
}): PolicyReport {
  const { counts, plugins, policies, source } = options;
  const { config, hash, isEnforced, loadedAt } = source.current;
  return {
    hash,
    loadedAt: loadedAt.toISOString(),
    mode: config.mode,
    ...(config.until && { until: config.until.toISOString() }),
    enforced: isEnforced,
    ...(source.problem && { problem: source.problem }),
    needsRestart: source.needsRestart,
    lists: source.lists,
    allow: config.allow.map(rule => ({
      ...rule,
      installed: plugins.isInstalled(rule.plugin),
    })),
    closed: policies
      .all()
      // Public by nature.
      .filter(({ plugin }) => plugin !== 'auth' && plugin !== 'app')
      .map(({ plugin, path, allow, isWebSocket }) => ({
        plugin,
        path,
        allow,
        isWebSocket,
        rules: isWebSocket
          ? rulesForWebSocket(plugin, path)
          : rulesFor(plugin, path),
      }))
      .filter(
        ({ rules }) =>
          rules.length === 0 ||
          !rules.every(rule => isCovered(rule, config.allow)),
      )
      .map(({ rules, ...closed }) => ({
        ...closed,
        yaml: toYaml(rules, closed.path),
      })),
    unknown: plugins.registeredIds().filter(id => !policies.isKnown(id)),
    opensBeyondPlugins: config.allow.filter(
      rule =>
        plugins.isInstalled(rule.plugin) &&
        rule.methods.some(
          method =>
            !policies.isPublic(
              rule.plugin,
              prefixOf(rule) || '/',
              method === WEBSOCKET,
            ),
        ),
    ),
    decisions: counts.decisions,
    wouldRefuse: counts.wouldRefuse,
    wouldRefuseUncounted: counts.uncounted,
  };
}

/** One block of text, for the log of the start. */
export function formatPolicyReport(report: PolicyReport): string {
  const { allow, closed, lists, unknown, opensBeyondPlugins } = report;
  const section = (title: string, lines: string[]) =>
    lines.length ? [`  ${title}:`, ...lines.map(line => `    ${line}`)] : [];
  return [
    `API gate: ${report.enforced ? 'enforce' : `report-only${report.until ? ` until ${report.until}` : ''}, nothing is refused`}`,
    ...section(
      'Public by rule',
      allow.map(
        rule =>
          `${rule.methods} /api/${rule.plugin}${rule.path}${rule.reason ? `  (${rule.reason})` : ''}${rule.installed ? '' : '  (not installed in this backend: a misspelling, or a plugin of another one)'}`,
      ),
    ),
    ...(allow.length ? [] : ['  No allow rules.']),
    ...section('Lists, by file', lists.map(formatListSource)),
    ...(report.enforced
      ? []
      : section(
          'Newly public once it is enforced',
          opensBeyondPlugins.map(
            ({ plugin, path, methods }) => `${methods} /api/${plugin}${path}`,
          ),
        )),
    ...section(
      `Opened by plugins in code, and ${report.enforced ? 'closed by the gate' : 'to be closed once it is enforced'}; these rules would open it`,
      closed.flatMap(({ plugin, path, allow: to, isWebSocket, yaml }) => [
        `${plugin} ${path}${isWebSocket ? ' (WebSocket)' : ''}, to ${to === 'unauthenticated' ? 'everybody' : "Backstage's own cookie, which goes on reading it"}:`,
        ...yaml.split('\n').map(line => `  ${line}`),
      ]),
    ),
    ...section('Not known what these open themselves', unknown),
  ].join('\n');
}

// A policy is for all methods. Whoever takes the rule keeps those that are needed.
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The rules that open what a plugin's policy declares, a prefix; or the next larger subtree where that is no literal path. */
export function rulesFor(plugin: string, declaredPath: string): AllowRule[] {
  const segments = declaredPath.split('/').filter(Boolean);
  const end = segments.findIndex(
    segment => !/^[A-Za-z0-9\-._~@]+$/.test(segment),
  );
  const literal = segments
    .slice(0, end === -1 ? undefined : end)
    .map(segment => `/${segment}`)
    .join('');
  const methods = ALL_METHODS;
  const subtree = {
    plugin: plugin.toLowerCase(),
    path: `${literal}/**`,
    methods,
  };
  return literal !== '' && end === -1
    ? [{ ...subtree, path: literal }, subtree]
    : [subtree];
}

/** The rule that opens a WebSocket handler: none where a rule can't hold its path. */
function rulesForWebSocket(plugin: string, path: string): AllowRule[] {
  return isUnambiguousPath(path) && RULE_PATH.test(path)
    ? [{ plugin, path, methods: [WEBSOCKET] }]
    : [];
}

function isCovered(rule: AllowRule, allow: readonly AllowRule[]): boolean {
  return allow.some(
    other =>
      other.plugin === rule.plugin &&
      rule.methods.every(method => other.methods.includes(method)) &&
      (other.path === rule.path ||
        (other.path.endsWith('/**') &&
          rule.path.startsWith(`${prefixOf(other)}/`))),
  );
}

function toYaml(rules: AllowRule[], declaredPath: string): string {
  if (rules.length === 0) {
    return '# No rule can name this path.';
  }
  const isWider = !RULE_PATH.test(declaredPath.replace(/^\*$/, ''));
  const lines = rules.map(
    ({ plugin, path, methods }) =>
      `- { plugin: ${plugin}, path: '${path}', methods: [${methods.join(', ')}] }`,
  );
  return [
    ...(isWider
      ? ["# Wider than the plugin's own: a rule has no parameters."]
      : []),
    ...lines,
  ].join('\n');
}
