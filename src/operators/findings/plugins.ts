import { formatRule } from '../../settings/read/readAllowRules';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { didYouMean } from '../../settings/read/values';
import type { Facts, Place } from './Finding';

/** Finds plugins that a setting names, and that are known not to be installed. */
export function findAbsentPlugins({ gate, installed }: Facts): Place[] {
  if (!installed) {
    return [];
  }
  const named = [
    ...gate.allow.map((rule, i) => ({
      plugin: rule.plugin,
      at: `allow[${i}] (${formatRule(rule)})`,
    })),
    ...gate.closed.map((plugin, i) => ({
      plugin,
      at: `closed[${i}] (${plugin})`,
    })),
    ...gate.foreignAuthorization.map(({ plugin, path }, i) => ({
      plugin,
      at: `foreignAuthorization[${i}] (/api/${plugin}${path})`,
    })),
    ...gate.trustedPaths.map(({ plugin, path }, i) => ({
      plugin,
      at: `cookie.trustedPaths[${i}] (/api/${plugin}${path})`,
    })),
    ...(gate.tokens ?? []).flatMap(({ only, subject }, i) =>
      (Array.isArray(only) ? only : []).map(({ plugin }, j) => ({
        plugin,
        at: `tokens[${i}].only[${j}] (${subject})`,
      })),
    ),
  ];
  return named
    .filter(({ plugin }) => !installed.includes(plugin))
    .map(({ at, plugin }) => ({
      at: `${CONFIG_KEY}.${at}`,
      plugin,
      meant: didYouMean(plugin, installed),
    }));
}
