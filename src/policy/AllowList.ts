import { AllowRule, isSubtree, prefixOf } from '../config/AllowRule';
import { isCookieEndpoint } from '../http/backstagePaths';

/** Holds the allow rules of all plugins, indexed by plugin and method. */
export class AllowList {
  readonly #byPluginAndMethod = new Map<string, PathRules>();

  constructor(readonly rules: readonly AllowRule[]) {
    for (const rule of rules) {
      for (const method of rule.methods) {
        this.#add(rule, method);
        if (method === 'GET') {
          this.#add(rule, 'HEAD');
        }
      }
    }
  }

  /**
   * Returns the rule that opens an unambiguous path, if any. The comparison is case-sensitive, as the paths of URLs are. No rule
   * opens the cookie endpoint, not even the rule for a whole plugin.
   */
  match(plugin: string, method: string, path: string): AllowRule | undefined {
    const rule = this.#find(plugin, method, path);
    return rule && isCookieEndpoint(path) ? undefined : rule;
  }

  #find(plugin: string, method: string, path: string): AllowRule | undefined {
    const rules = this.#byPluginAndMethod.get(key(plugin, method));
    if (!rules) {
      return undefined;
    }
    const exact = rules.exact.get(path);
    if (exact || rules.subtrees.size === 0) {
      return exact;
    }
    for (let end = path.lastIndexOf('/'); end >= 0;) {
      const rule = rules.subtrees.get(path.slice(0, end));
      if (rule) {
        return rule;
      }
      end = end === 0 ? -1 : path.lastIndexOf('/', end - 1);
    }
    return undefined;
  }

  #add(rule: AllowRule, method: string) {
    const ruleKey = key(rule.plugin, method);
    let rules = this.#byPluginAndMethod.get(ruleKey);
    if (!rules) {
      rules = { exact: new Map(), subtrees: new Map() };
      this.#byPluginAndMethod.set(ruleKey, rules);
    }
    (isSubtree(rule) ? rules.subtrees : rules.exact).set(prefixOf(rule), rule);
  }
}

interface PathRules {
  exact: Map<string, AllowRule>;
  subtrees: Map<string, AllowRule>;
}

function key(plugin: string, method: string): string {
  return `${method} ${plugin}`;
}
