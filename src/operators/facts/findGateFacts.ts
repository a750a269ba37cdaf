import { WEBSOCKET } from '../../gate/read/requestLine';
import type { DeclaredPolicies } from '../../gate/plugins/DeclaredPolicies';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { AllowList } from '../../gate/rules/AllowList';
import { prefixOf } from '../../gate/rules/AllowRule';
import type { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import {
  asRules,
  DeclaredOpening,
  formatPaths,
} from '../../settings/declaredOpen';
import { formatListSource } from '../../settings/files/configFiles';
import type { PolicySource } from '../../settings/PolicySource';
import { coveredUntil } from '../../settings/rules/coverage';
import type { Fact } from './Fact';
import { formatRequest, formatRequests, formatUntil } from './format';

// A plugin's policy is for all methods.
const ALL_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

interface Gate {
  plugins: Plugins;
  policies: DeclaredPolicies;
  policy: ConfiguredPolicy;
  source: Pick<PolicySource, 'lists'>;
}

/** Lists what only the running gate knows: what plugins have declared open, and which files the lists in force are from. */
export function findGateFacts(gate: Gate): Fact[] {
  const { plugins, policies, policy, source } = gate;
  const unknown = plugins.registeredIds().filter(id => !policies.isKnown(id));
  return [
    ...(policy.isEnforced ? [] : findNewlyPublic(gate)),
    ...policies.all().map(asRules).map(describeDeclared(policy)),
    ...unknown.map(what => ({
      kind: 'not known',
      what,
      who: 'what it declares open',
    })),
    ...source.lists.map(each => ({
      kind: 'list',
      what: formatListSource(each),
    })),
  ];
}

/** Lists what rules open that its plugin has not opened itself. */
function findNewlyPublic({ plugins, policies, policy }: Gate): Fact[] {
  return policy.config.allow
    .filter(rule => plugins.isInstalled(rule.plugin))
    .flatMap(({ methods, ...rule }) => {
      // A parameter of a plugin's policy covers the segment `*` as it covers any other.
      const path = prefixOf(rule) || '/';
      const closed = methods.filter(
        each => !policies.isPublic(rule.plugin, path, each === WEBSOCKET),
      );
      return formatRequests({ ...rule, methods: closed }).map(what => ({
        kind: 'newly public',
        what,
        who: 'once it enforces',
        until: formatUntil(rule.until),
      }));
    });
}

function describeDeclared(policy: ConfiguredPolicy) {
  return (declared: DeclaredOpening): Fact => {
    const { allow, isWebSocket, plugin } = declared;
    const method = isWebSocket ? WEBSOCKET : 'any';
    const what = formatRequest(method, plugin, formatPaths(declared));
    const fact = { kind: 'declared open', what };
    // Backstage's own cookie needs no rule, which would open the paths to everybody.
    return allow === 'user-cookie'
      ? { ...fact, who: "Backstage's own cookie, which still opens it" }
      : { ...fact, who: 'everybody', ...describeGate(declared, policy) };
  };
}

/** Says what the gate makes of what a plugin has declared open. */
function describeGate(declared: DeclaredOpening, policy: ConfiguredPolicy) {
  const { plugin } = declared;
  // Signing in needs only the built-in public routes of `auth` and `app`.
  if (plugin === 'auth' || plugin === 'app') {
    return { note: 'always public' };
  }
  const until = openUntil(declared, policy.allowList);
  if (until > policy.now()) {
    return {
      note: 'opened by rules',
      until: until < Infinity ? formatUntil(until) : undefined,
    };
  }
  const when = policy.isEnforced ? '' : ' once it enforces';
  return { note: `closed by the gate${when}, except for what rules name` };
}

/** Returns the time until which allow rules open all that a plugin has declared open: everything below a path, or one WebSocket handler. */
function openUntil(
  { plugin, paths, isWebSocket }: DeclaredOpening,
  allowList: AllowList,
): number {
  return Math.min(
    ...paths.flatMap(path =>
      (isWebSocket ? [WEBSOCKET] : ALL_METHODS).map(method =>
        coveredUntil(allowList, { plugin, path }, method),
      ),
    ),
  );
}
