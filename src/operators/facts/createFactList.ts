import type { RootConfigService } from '@backstage/backend-plugin-api';
import type { DeclaredPolicies } from '../../gate/plugins/DeclaredPolicies';
import type { Plugins } from '../../gate/plugins/Plugins';
import type { PolicySource } from '../../settings/PolicySource';
import type { Fact } from './Fact';
import { findConfigFacts } from './findConfigFacts';
import { findGateFacts } from './findGateFacts';

/**
 * Creates the function that lists the facts of a backend. They are computed once for each policy, and again when another setting
 * changes, a plugin starts, or a plugin declares more. None depends on the time.
 */
export function createFactList(gate: {
  config: RootConfigService;
  plugins: Plugins;
  policies: DeclaredPolicies;
  source: Pick<PolicySource, 'current' | 'lists'>;
}): () => Fact[] {
  const { config, plugins, policies, source } = gate;
  let facts: Fact[] = [];
  let computedFrom: unknown[] = [];
  // Facts are about the settings of Backstage, too.
  config.subscribe?.(() => {
    computedFrom = [];
  });
  return () => {
    const policy = source.current;
    const ids = plugins.registeredIds();
    const state = [
      policy,
      source.lists,
      ids.length,
      ids.filter(id => policies.isKnown(id)).length,
      policies.all().length,
    ];
    if (!state.every((each, i) => each === computedFrom[i])) {
      facts = [
        ...findConfigFacts(policy.config, config),
        ...findGateFacts({ ...gate, policy }),
      ];
      computedFrom = state;
    }
    return facts;
  };
}
