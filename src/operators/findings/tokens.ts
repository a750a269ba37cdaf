import { endOf } from '../../gate/rules/AllowRule';
import { CONFIG_KEY } from '../../settings/read/readApiGateConfig';
import { asObject, isObject } from '../../settings/read/values';
import { asList, isText } from './backstageSettings';
import { endsSoon, Facts, Place } from './Finding';

const ACCESS_KEYS = ['backend.auth.externalAccess', 'backend.auth.keys'];

/** Finds entries of `backend.auth.externalAccess` and `backend.auth.keys` that are valid everywhere. */
export function findUnrestricted({ get, isLegacy }: Facts): Place[] {
  return (isLegacy ? [] : ACCESS_KEYS).flatMap(key =>
    asList(get(key))
      .filter(isObject)
      .flatMap(({ options, accessRestrictions }, i) => {
        const { subject, url } = asObject(options);
        const name = [subject, url].find(isText);
        const at = `${key}[${i}]${name ? ` (${withoutSecrets(name)})` : ''}`;
        return asList(accessRestrictions).length === 0 ? [{ at }] : [];
      }),
  );
}

/** Finds external tokens that `auth.apiGate.tokens` does not limit, because the setting is not there. */
export function findUnlimited({ gate, get, isLegacy }: Facts): Place[] {
  const hasTokens = ACCESS_KEYS.some(key => asList(get(key)).some(isObject));
  return hasTokens && !isLegacy && gate.tokens === undefined
    ? [{ at: `${CONFIG_KEY}.tokens` }]
    : [];
}

/** Finds entries of `tokens` that end within a week. */
export function findEndingTokens(facts: Facts): Place[] {
  return (facts.gate.tokens ?? []).flatMap((entry, i) =>
    endsSoon(endOf(entry), facts)
      ? [
          {
            at: `${CONFIG_KEY}.tokens[${i}] (${entry.subject})`,
            time: new Date(endOf(entry)).toISOString(),
          },
        ]
      : [],
  );
}

/** Returns a name without what may be a secret of a URL. */
function withoutSecrets(name: string): string {
  return name.replace(/\/\/[^/@]*@/, '//').replace(/[?#].*/s, '');
}
