/** An entry of `auth.apiGate.allow`, checked. */
export interface AllowRule {
  /** Id of the plugin, lower case. */
  plugin: string;
  /** Relative to the plugin: an exact path, or a subtree with a trailing `/**`. */
  path: string;
  /** Upper case, without duplicates; `GET` implies `HEAD`. `WEBSOCKET` stands for an upgrade. */
  methods: string[];
  reason?: string;
}

const SUBTREE = '/**';

/** The path of a rule without a trailing `/**`; `''` for the whole plugin. */
export function prefixOf(rule: AllowRule): string {
  return isSubtree(rule) ? rule.path.slice(0, -SUBTREE.length) : rule.path;
}

/** Whether a rule covers a subtree. */
export function isSubtree(rule: AllowRule): boolean {
  return rule.path.endsWith(SUBTREE);
}
