import { AllowRule, prefixOf } from '../config/AllowRule';

/** A path of one plugin that only one of two lists of rules opens. */
export interface RouteChange {
  plugin: string;
  /** The path as in a rule: exact, or a subtree with a trailing `/**`. */
  path: string;
  /** The methods, with `HEAD` if the rule has `GET`. */
  methods: string[];
  /** The first rule that opens the path. */
  rule: AllowRule;
}

export interface PolicyDifference {
  opened: RouteChange[];
  closed: RouteChange[];
}

/**
 * Compares the requests that two lists of rules open. The order of rules, their reasons, repetitions, and rules that a wider one
 * covers make no difference.
 */
export function comparePolicies(
  before: readonly AllowRule[],
  after: readonly AllowRule[],
): PolicyDifference {
  const old = openedBy(before);
  const now = openedBy(after);
  return { opened: beyond(now, old), closed: beyond(old, now) };
}

interface OpenPath {
  method: string;
  rule: AllowRule;
}

type OpenPaths = ReadonlyMap<string, OpenPath>;

function openedBy(rules: readonly AllowRule[]): OpenPaths {
  const paths = new Map<string, OpenPath>();
  for (const rule of rules) {
    for (const method of withHead(rule.methods)) {
      const key = keyOf(method, rule.plugin, rule.path);
      if (!paths.has(key)) {
        paths.set(key, { method, rule });
      }
    }
  }
  return paths;
}

function withHead(methods: string[]): string[] {
  return methods.flatMap(method =>
    method === 'GET' ? ['GET', 'HEAD'] : [method],
  );
}

/** Returns the paths that `paths` opens and `others` does not, without those that a wider path of `paths` covers. */
function beyond(paths: OpenPaths, others: OpenPaths): RouteChange[] {
  const changes = new Map<string, RouteChange>();
  for (const [key, { method, rule }] of paths) {
    const { plugin, path } = rule;
    const covering = keysCovering(method, rule);
    const isKnown = [key, ...covering].some(other => others.has(other));
    const isRepeated = covering.some(other => paths.has(other));
    if (!isKnown && !isRepeated) {
      const place = keyOf('', plugin, path);
      const change = changes.get(place) ?? { plugin, path, rule, methods: [] };
      change.methods.push(method);
      changes.set(place, change);
    }
  }
  return [...changes.values()];
}

/** Returns the keys of all subtrees that are wider than a rule's path. */
function keysCovering(method: string, rule: AllowRule): string[] {
  const keys: string[] = [];
  let parent = prefixOf(rule);
  while (parent !== '') {
    parent = parent.slice(0, parent.lastIndexOf('/'));
    keys.push(keyOf(method, rule.plugin, `${parent}/**`));
  }
  return keys;
}

function keyOf(method: string, plugin: string, path: string): string {
  return `${method} ${plugin}${path}`;
}
