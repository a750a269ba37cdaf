import {
  AllowRule,
  ANY_SEGMENT,
  endOf,
  isSubtree,
  openedMethods,
  segmentsOf,
} from '../config/AllowRule';
import { isCookieEndpoint } from '../http/backstagePaths';

/** Holds the allow rules of all plugins: for each plugin and method, a tree of the segments of their paths. */
export class AllowList {
  readonly #trees = new Map<string, Map<string, RuleTree>>();

  /** @param now - returns the time by which rules end, in milliseconds since 1970 */
  constructor(
    readonly rules: readonly AllowRule[],
    private readonly now: () => number = Date.now,
  ) {
    for (const rule of rules) {
      openedMethods(rule).forEach(method => this.#add(rule, method));
    }
  }

  /**
   * Returns the rule that opens an unambiguous path, if any. The comparison is case-sensitive, as the paths of URLs are. No rule
   * opens the cookie endpoint, not even the rule for a whole plugin.
   */
  match(plugin: string, method: string, path: string): AllowRule | undefined {
    const tree = this.#trees.get(plugin)?.get(method);
    if (!tree || !path.startsWith('/')) {
      return undefined;
    }
    // The part of a long path that is deeper than every rule is left out: only `/**` can cover it.
    const segments =
      path === '/' ? [] : path.slice(1).split('/', tree.depth + 1);
    const rule = this.#find(tree.root, segments, 0);
    return rule && isCookieEndpoint(path) ? undefined : rule;
  }

  /**
   * Finds a rule at a node or below it. A literal segment precedes `*`, and `*` precedes `/**`.
   *
   * Each node has one parent, so that the search visits it at most once, however literal segments and `*` alternate: a request
   * costs at most one visit for each segment of the rules for its plugin and method.
   */
  #find(
    node: RuleNode,
    segments: readonly string[],
    index: number,
  ): AllowRule | undefined {
    if (index === segments.length) {
      return (
        this.#open(node.exact) ??
        // `/**` covers the root of the plugin too, and every other subtree begins below its path.
        (index === 0 ? this.#open(node.subtree) : undefined)
      );
    }
    const segment = segments[index];
    const { any, literals } = node;
    const literal = literals.get(segment);
    return (
      (literal && this.#find(literal, segments, index + 1)) ??
      (any && segment !== ''
        ? this.#find(any, segments, index + 1)
        : undefined) ??
      this.#open(node.subtree)
    );
  }

  /** Returns a rule unless it has ended. */
  #open(rule: AllowRule | undefined): AllowRule | undefined {
    // Most rules do not end, and need no clock.
    return rule?.until === undefined || this.now() < rule.until
      ? rule
      : undefined;
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
  /** The largest number of segments that a rule has. */
  depth: number;
}

/** The rules that share their first segments. */
interface RuleNode {
  /** The rule whose path ends here. */
  exact?: AllowRule;
  /** The rule for everything below. */
  subtree?: AllowRule;
  literals: Map<string, RuleNode>;
  /** The child for `*`. It is not among the literals, where a request with the segment `*` would reach it a second time. */
  any?: RuleNode;
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
