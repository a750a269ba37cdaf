import {
  AllowRule,
  ANY_SEGMENT,
  endOf,
  isSubtree,
  openedMethods,
  segmentsOf,
} from './AllowRule';
import { isCookieEndpoint } from '../read/requestLine';

/** Holds the allow rules of all plugins: for each plugin and method, a tree of the segments of their paths. */
export class AllowList {
  readonly #trees = new Map<string, Map<string, RuleTree>>();

  constructor(readonly rules: readonly AllowRule[]) {
    for (const rule of rules) {
      for (const method of openedMethods(rule)) {
        this.#add(rule, method);
      }
    }
  }

  /**
   * Returns the rule that opens an unambiguous path, if any. The comparison is case-sensitive, as the paths of URLs are. No rule
   * opens the cookie endpoint, not even the rule for a whole plugin.
   *
   * @param now - in milliseconds since 1970
   */
  match(
    plugin: string,
    method: string,
    path: string,
    now: number,
  ): AllowRule | undefined {
    const tree = this.#trees.get(plugin)?.get(method);
    if (!tree || !path.startsWith('/')) {
      return undefined;
    }
    // The part of a long path that is deeper than every rule is left out: only `/**` can cover it.
    const segments =
      path === '/' ? [] : path.slice(1).split('/', tree.depth + 1);
    const accepts = (each: AllowRule) => now < endOf(each);
    const rule = find(tree.root, { segments, accepts });
    return rule && isCookieEndpoint(path) ? undefined : rule;
  }

  /** Returns the first rule that a search accepts among the rules of a plugin for a method. */
  find(plugin: string, method: string, search: Search): AllowRule | undefined {
    const tree = this.#trees.get(plugin)?.get(method);
    return tree && find(tree.root, search);
  }

  /** Returns the largest number of segments that a rule of a plugin for a method has. */
  depthOf(plugin: string, method: string): number {
    return this.#trees.get(plugin)?.get(method)?.depth ?? 0;
  }

  #add(rule: AllowRule, method: string) {
    const ofPlugin = this.#trees.get(rule.plugin) ?? new Map();
    this.#trees.set(rule.plugin, ofPlugin);
    const tree = ofPlugin.get(method) ?? { root: newNode(), depth: 0 };
    ofPlugin.set(method, tree);
    const segments = segmentsOf(rule);
    tree.depth = Math.max(tree.depth, segments.length);
    const node = segments.reduce(childOf, tree.root);
    const place = isSubtree(rule) ? 'subtree' : 'exact';
    const other = node[place];
    // If several rules have the same path, the one that ends last is in force as long as any of them.
    if (!other || endOf(rule) > endOf(other)) {
      node[place] = rule;
    }
  }
}

interface RuleTree {
  root: RuleNode;
  depth: number;
}

interface RuleNode {
  exact?: AllowRule;
  subtree?: AllowRule;
  literals: Map<string, RuleNode>;
  /** The child for `*`. It is not among the literals, where a request with the segment `*` would reach it a second time. */
  any?: RuleNode;
}

export interface Search {
  /** A segment `*` finds the child for any segment only, since no node has it among its literals. */
  segments: readonly string[];
  /** Whether the rule has to cover everything below the path, and not the path itself. */
  isSubtree?: boolean;
  accepts(rule: AllowRule): boolean;
}

/**
 * Finds the first rule at a node or below it that covers a path and is accepted. A literal segment precedes `*`, and `*` precedes
 * `/**`.
 *
 * Each node has one parent, so that the search visits it at most once, however literal segments and `*` alternate: a request
 * costs at most one visit for each segment of the rules for its plugin and method.
 */
function find(
  node: RuleNode,
  search: Search,
  index = 0,
): AllowRule | undefined {
  const { segments, isSubtree: isBelow } = search;
  if (index === segments.length) {
    return (
      (isBelow ? undefined : accepted(node.exact, search)) ??
      // `/**` covers the root of the plugin too, and every other subtree begins below its path.
      (isBelow || index === 0 ? accepted(node.subtree, search) : undefined)
    );
  }
  const segment = segments[index];
  const { any, literals } = node;
  const literal = literals.get(segment);
  return (
    (literal && find(literal, search, index + 1)) ??
    (any && segment !== '' ? find(any, search, index + 1) : undefined) ??
    accepted(node.subtree, search)
  );
}

function accepted(
  rule: AllowRule | undefined,
  { accepts }: Search,
): AllowRule | undefined {
  return rule && accepts(rule) ? rule : undefined;
}

function newNode(): RuleNode {
  return { literals: new Map() };
}

function childOf(node: RuleNode, segment: string): RuleNode {
  if (segment === ANY_SEGMENT) {
    node.any ??= newNode();
    return node.any;
  }
  const child = node.literals.get(segment) ?? newNode();
  node.literals.set(segment, child);
  return child;
}
